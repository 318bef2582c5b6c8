//! The program: hands its arguments to [`crankback::cli`] and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    crankback::cli::main(std::env::args_os())
}
