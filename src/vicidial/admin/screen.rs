//! What VICIdial's *Carriers* and *Servers* screens take in each field.

use super::super::carriers::CarrierRow;

/// Bytes that MariaDB's TEXT holds.
const TEXT_BYTES: usize = 65_535;
/// `carrier_id`, in characters.
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 2..=15;
const SHORTEST_SERVER_IP: usize = 7;

/// A value that the screen would alter or refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{row}, {column}, line {line}: {fault}")]
pub struct ScreenError {
    /// Whose value it is, for example `carrier MAIN`.
    pub row: String,
    /// The column of `vicidial_server_carriers`, or of `servers`.
    pub column: &'static str,
    /// The line of the value, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: ScreenFault,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScreenFault {
    /// The screen takes this character out.
    #[error("VICIdial's screen takes {0:?} out of this field")]
    Character(char),
    /// Too few or too many characters.
    #[error("it must have {least} to {most} characters, not {found}")]
    Length {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// VICIdial knows no such protocol.
    #[error("{0:?} is no protocol of VICIdial's: SIP, PJSIP, PJSIP_WIZ, IAX2, Zap or EXTERNAL")]
    Protocol(String),
}

impl ScreenFault {
    /// A stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Character(_) => "screen_character",
            Self::Length { .. } => "screen_length",
            Self::Protocol(_) => "screen_protocol",
        }
    }
}

/// What the screens take out of a dialplan entry, a carrier's and a server's.
const NOT_IN_ENTRY: &str = "\\'\r";

/// A dialplan entry after somebody has opened the screen and saved it without a change.
pub fn as_saved_on_screen(dialplan_entry: &str) -> String {
    dialplan_entry.replace(|character| NOT_IN_ENTRY.contains(character), "")
}

/// Whether the screen takes every value of a new row as it is.
pub(super) fn check(row: &CarrierRow) -> Result<(), ScreenError> {
    let CarrierRow {
        carrier_id,
        carrier_name,
        registration_string,
        template_id,
        account_entry,
        protocol,
        globals_string,
        dialplan_entry,
        server_ip,
        active: _,
        carrier_description,
    } = row;
    let name = format!("carrier {carrier_id}");
    let field = |column, value| Field {
        row: &name,
        column,
        value,
    };
    let plain =
        |extra: &'static str| move |character: char| character.is_ascii_alphanumeric() || extra.contains(character);
    let without = |refused: &'static str| move |character: char| !refused.contains(character);

    field("carrier_id", carrier_id).check(plain("-_"), *ID_LENGTHS.start(), *ID_LENGTHS.end())?;
    field("carrier_name", carrier_name).check(plain("- .,_"), 0, 50)?;
    field("registration_string", registration_string).check(without(";\n\r"), 0, 255)?;
    field("template_id", template_id).check(plain("-_"), 0, 15)?;
    field("account_entry", account_entry).check(without(";\r"), 0, TEXT_BYTES)?;
    field("globals_string", globals_string).check(without(";\n\r"), 0, 255)?;
    field("dialplan_entry", dialplan_entry).check(without(NOT_IN_ENTRY), 0, TEXT_BYTES)?;
    field("server_ip", server_ip).check(plain("."), SHORTEST_SERVER_IP, 15)?;
    field("carrier_description", carrier_description).check(without("\\;\"\n\r"), 0, 255)?;
    if ["SIP", "PJSIP", "PJSIP_WIZ", "Zap", "IAX2", "EXTERNAL"].contains(&protocol.as_str()) {
        Ok(())
    } else {
        Err(field("protocol", protocol).wrong(0, ScreenFault::Protocol(protocol.clone())))
    }
}

/// Whether the screen takes every character of a changed entry. One that stood there before got in by another door and may stay.
pub(super) fn check_new_entry(row: &str, column: &'static str, old: &str, new: &str) -> Result<(), ScreenError> {
    let field = Field {
        row,
        column,
        value: new,
    };
    field.check(
        |character| !NOT_IN_ENTRY.contains(character) || old.contains(character),
        0,
        TEXT_BYTES,
    )
}

struct Field<'a> {
    row: &'a str,
    column: &'static str,
    value: &'a str,
}

impl Field<'_> {
    /// All columns but TEXT count characters, and what is in TEXT is mostly ASCII: bytes are counted, to be sure.
    fn check(&self, takes: impl Fn(char) -> bool, least: usize, most: usize) -> Result<(), ScreenError> {
        if let Some((at, character)) = self.value.char_indices().find(|(_, character)| !takes(*character)) {
            return Err(self.wrong(at, ScreenFault::Character(character)));
        }
        let found = self.value.len();
        if (least..=most).contains(&found) {
            Ok(())
        } else {
            Err(self.wrong(0, ScreenFault::Length { least, most, found }))
        }
    }

    fn wrong(&self, at: usize, fault: ScreenFault) -> ScreenError {
        ScreenError {
            row: self.row.to_owned(),
            column: self.column,
            line: self.value[..at].matches('\n').count() + 1,
            fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> CarrierRow {
        CarrierRow {
            carrier_id: "MAIN-1".into(),
            carrier_name: "Main, the first".into(),
            template_id: "--NONE--".into(),
            account_entry: "[main]\ntype = peer\nhost = 10.0.0.5".into(),
            protocol: "SIP".into(),
            globals_string: "MAIN = SIP/main".into(),
            dialplan_entry: "exten => _91.,1,Dial(${MAIN}/${EXTEN:1},,To) ; \"x\"".into(),
            server_ip: "0.0.0.0".into(),
            ..CarrierRow::default()
        }
    }

    fn fault(edit: impl FnOnce(&mut CarrierRow)) -> (&'static str, usize, ScreenFault) {
        let mut row = row();
        edit(&mut row);
        let error = check(&row).expect_err("is refused");
        (error.column, error.line, error.fault)
    }

    #[test]
    fn what_the_screen_takes_is_taken() {
        assert_eq!(check(&row()), Ok(()));
    }

    #[test]
    fn what_the_screen_takes_out_is_named_with_column_and_line() {
        use ScreenFault::{Character, Length, Protocol};
        assert_eq!(
            fault(|row| row.carrier_id = "A B".into()),
            ("carrier_id", 1, Character(' '))
        );
        assert_eq!(
            fault(|row| row.carrier_id = "A".into()),
            (
                "carrier_id",
                1,
                Length {
                    least: 2,
                    most: 15,
                    found: 1
                }
            )
        );
        assert_eq!(
            fault(|row| row.carrier_name = "a;b".into()),
            ("carrier_name", 1, Character(';'))
        );
        assert_eq!(
            fault(|row| row.account_entry = "[a]\nhost=b ; c".into()),
            ("account_entry", 2, Character(';'))
        );
        assert_eq!(
            fault(|row| row.dialplan_entry = "exten => 1,1,A()\nexten => 1,2,B(it's)".into()),
            ("dialplan_entry", 2, Character('\''))
        );
        assert_eq!(
            fault(|row| row.globals_string = "A=B\n".into()),
            ("globals_string", 1, Character('\n'))
        );
        assert_eq!(
            fault(|row| row.server_ip = "::1".into()),
            ("server_ip", 1, Character(':'))
        );
        assert_eq!(
            fault(|row| row.carrier_description = "a \"b\"".into()),
            ("carrier_description", 1, Character('"'))
        );
        assert_eq!(
            fault(|row| row.protocol = "sip".into()),
            ("protocol", 1, Protocol("sip".into()))
        );
    }

    #[test]
    fn a_character_that_stood_there_may_stay_and_none_may_come_new() {
        let check = |old, new| check_new_entry("carrier A", "dialplan_entry", old, new);
        assert_eq!(check("a\r\nb", "c\r\nb"), Ok(()));
        let error = check("a\nb", "a\r\nb").expect_err("brings a new one");
        assert_eq!(error.fault, ScreenFault::Character('\r'));
    }
}
