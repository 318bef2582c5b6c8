//! One command: a verb and quoted arguments.

use super::Error;

/// What Asterisk reads of a line, its end included (versions 16 to 22).
pub(super) const MAXIMUM_LENGTH: usize = 2_047;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    line: Vec<u8>,
    is_quotable: bool,
}

impl Command {
    /// A command without arguments. The verb may be several words: `GET VARIABLE`.
    pub fn new(verb: &'static str) -> Self {
        Self {
            line: verb.as_bytes().to_vec(),
            is_quotable: true,
        }
    }

    /// Adds an argument, whatever is in it.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.line.extend(b" \"");
        for &byte in argument.as_ref() {
            match byte {
                b'"' | b'\\' => self.line.extend([b'\\', byte]),
                b'\n' | b'\r' | 0 => self.is_quotable = false,
                _ => self.line.push(byte),
            }
        }
        self.line.push(b'"');
        self
    }

    /// The line as it is sent.
    ///
    /// # Errors
    /// [`Error::Unquotable`] and [`Error::CommandTooLong`].
    pub fn to_line(&self) -> Result<Vec<u8>, Error> {
        if !self.is_quotable {
            return Err(Error::Unquotable);
        }
        let mut line = self.line.clone();
        line.push(b'\n');
        match line.len() {
            ..=MAXIMUM_LENGTH => Ok(line),
            length => Err(Error::CommandTooLong { length }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words of a line as Asterisk takes them apart: blanks divide, quotes hold together, a backslash protects.
    fn words(line: &[u8]) -> Vec<Vec<u8>> {
        let (mut words, mut word) = (Vec::new(), None::<Vec<u8>>);
        let (mut quoted, mut escaped) = (false, false);
        for &byte in line {
            match byte {
                _ if escaped => {
                    word.get_or_insert_default().push(byte);
                    escaped = false;
                }
                b'\\' => escaped = true,
                b'"' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                b' ' if !quoted => words.extend(word.take()),
                _ => word.get_or_insert_default().push(byte),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn quotes_what_needs_it() {
        let command = Command::new("EXEC")
            .argument("Dial")
            .argument(r#"PJSIP/1@a,30,U(x^"y\z)"#);
        assert_eq!(
            command.to_line().expect("fits"),
            b"EXEC \"Dial\" \"PJSIP/1@a,30,U(x^\\\"y\\\\z)\"\n"
        );
    }

    #[test]
    fn sends_nothing_that_asterisk_would_read_as_two_lines_or_cut_off() {
        for argument in ["a\nHANGUP", "a\rb", "a\0b"] {
            let line = Command::new("NOOP").argument(argument).to_line();
            assert!(matches!(line, Err(Error::Unquotable)), "{argument:?}");
        }
        let fill = |length: usize| Command::new("NOOP").argument("x".repeat(length - b"NOOP \"\"\n".len()));
        assert!(fill(MAXIMUM_LENGTH).to_line().is_ok());
        let too_long = fill(MAXIMUM_LENGTH + 1).to_line();
        assert!(matches!(too_long, Err(Error::CommandTooLong { length: 2_048 })));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(4_573), ..ProptestConfig::default() })]

        #[test]
        fn arguments_arrive_as_they_were(arguments in prop::collection::vec(prop::collection::vec(1_u8..=255, 0..40), 0..6)) {
            let mut command = Command::new("EXEC");
            for argument in &arguments {
                command = command.argument(argument);
            }
            let breaks = |argument: &Vec<u8>| argument.iter().any(|byte| b"\r\n".contains(byte));
            match command.to_line() {
                Ok(line) => {
                    let mut expected = vec![b"EXEC".to_vec()];
                    expected.extend(arguments);
                    prop_assert_eq!(words(&line[..line.len() - 1]), expected);
                    prop_assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
                }
                Err(_) => prop_assert!(arguments.iter().any(breaks)),
            }
        }
    }
}
