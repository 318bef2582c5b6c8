//! One FastAGI session as VICIdial would read it.

use std::time::Instant;

/// Whether a call starts or ends, as VICIdial decides it: by the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgiKind {
    /// Any extension but `h`.
    Start,
    /// Extension `h`.
    End,
}

/// What one session said. Texts are as Asterisk sent them; absent ones are empty.
#[derive(Clone, Debug)]
pub struct AgiRecord {
    /// When its last header line had been read.
    pub received_at: Instant,
    /// The whole request, `agi://…`.
    pub request: String,
    /// The channel's unique id.
    pub uniqueid: String,
    /// The channel's name.
    pub channel: String,
    /// Where in the dialplan.
    pub extension: String,
    /// Where in the dialplan.
    pub context: String,
    /// Caller id number.
    pub callerid: String,
    /// Caller id name.
    pub calleridname: String,
    /// Start or end.
    pub kind: AgiKind,
    /// `${HANGUPCAUSE}`; absent at the start.
    pub hangup_cause: Option<u16>,
    /// `${DIALSTATUS}`.
    pub dialstatus: String,
    /// `${DIALEDTIME}` in seconds, absent when never answered.
    pub dialed_time_seconds: Option<u32>,
    /// `${ANSWEREDTIME}` in seconds, absent when never answered.
    pub answered_time_seconds: Option<u32>,
    /// What the technology said, for example `SIP 503 Service Unavailable`.
    pub tech_cause: String,
}

impl AgiRecord {
    /// Reads the header lines of a session (`agi_channel: …`).
    pub(super) fn of_prelude(lines: &[String], received_at: Instant) -> Self {
        let field = |name: &str| {
            let value = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().trim().to_owned()
        };
        let request = field("agi_request");
        let extension = field("agi_extension");
        let is_end = extension.len() < 3 && extension.to_ascii_lowercase().contains('h');

        // call_log--HVcauses--PRI | NODEBUG | cause | status | dialed | answered | tech cause and a stray parenthesis
        let parts: Vec<&str> = request.split("-----").map(str::trim).collect();
        let part = |n: usize| parts.get(n).copied().unwrap_or_default();
        Self {
            received_at,
            uniqueid: field("agi_uniqueid"),
            channel: field("agi_channel"),
            context: field("agi_context"),
            callerid: field("agi_callerid"),
            calleridname: field("agi_calleridname"),
            kind: if is_end { AgiKind::End } else { AgiKind::Start },
            hangup_cause: part(2).parse().ok(),
            dialstatus: part(3).to_owned(),
            dialed_time_seconds: part(4).parse().ok(),
            answered_time_seconds: part(5).parse().ok(),
            tech_cause: part(6).trim_end_matches(')').to_owned(),
            extension,
            request,
        }
    }

    /// The call that it belongs to: the caller id name up to the first blank where that is a call code (it has ten
    /// digits in a row, as a lead id has), else the number.
    pub fn call_code(&self) -> &str {
        let name = self.calleridname.split(' ').next().unwrap_or_default();
        let has_lead_id = name
            .as_bytes()
            .windows(10)
            .any(|window| window.iter().all(u8::is_ascii_digit));
        if has_lead_id { name } else { &self.callerid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(lines: &[&str]) -> AgiRecord {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        AgiRecord::of_prelude(&lines, Instant::now())
    }

    #[test]
    fn an_end_carries_the_results_without_the_stray_parenthesis() {
        let end = record(&[
            "agi_request: agi://127.0.0.1:4577/call_log--HVcauses--PRI-----NODEBUG-----34-----CONGESTION----------------SIP 503 Service Unavailable)",
            "agi_channel: Local/913125550100@default-00000000;2",
            "agi_uniqueid: 1795220185.1",
            "agi_callerid: 3125551212",
            "agi_calleridname: V1210007450000000008",
            "agi_extension: h",
        ]);
        assert_eq!(end.kind, AgiKind::End);
        assert_eq!((end.hangup_cause, end.dialstatus.as_str()), (Some(34), "CONGESTION"));
        assert_eq!((end.dialed_time_seconds, end.answered_time_seconds), (None, None));
        assert_eq!(end.call_code(), "V1210007450000000008");
    }

    #[test]
    fn a_start_has_no_results() {
        let start = record(&[
            "agi_request: agi://127.0.0.1:4577/call_log",
            "agi_callerid: 3125551212",
            "agi_calleridname: DC000001W0000000002W",
            "agi_extension: 913125550100",
        ]);
        assert_eq!(
            (start.kind, start.hangup_cause, start.dialstatus.as_str()),
            (AgiKind::Start, None, "")
        );
        assert_eq!(start.call_code(), "DC000001W0000000002W");
    }
}
