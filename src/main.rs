//! The program: not much to hand over yet.

fn main() {}
