//! The cases, in one table: the example shows them, the tests assert them.

mod away;
mod callers;
mod check;
mod dialers;
mod edits;
mod ends;
mod engines;
mod failures;
mod fast_agi;
mod health;
mod install;
mod load;
mod logs;
mod machines;
mod mariadb;
mod media;
mod new_carriers;
mod operator;
mod operator_word;
mod own_limits;
mod parity;
mod races;
mod recent_channels;
mod records;
mod redirect;
mod redirection;
mod repair;
mod silence;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::super::agi_listener::AgiRecord;
use super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT, PlacedCall};
use super::super::error::LabError;
use super::super::sip::{Answer, CallRecord, Refusal, Script};
use super::report::Report;
use super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Number, Rig, SOON};

/// One case.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name, as it is shown and filtered by.
    pub name: &'static str,
    /// How long it takes.
    pub length: Length,
    /// The one engine that it is for, and why the other is left out.
    pub only: Option<(Engine, &'static str)>,
    /// Runs it and writes down what was seen.
    pub run: Run,
}

impl Scenario {
    /// Why an engine is not tried with this case.
    pub fn reason_against(&self, engine: Engine) -> Option<&'static str> {
        let (only, reason) = self.only?;
        (only != engine).then_some(reason)
    }
}

/// How long a case takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Seconds.
    Short,
    /// Minutes.
    Long,
}

type Run = for<'a> fn(&'a mut Rig, &'a mut Report) -> BoxFuture<'a, Result<(), LabError>>;

macro_rules! scenarios {
    ($($name:literal $length:ident $(only($engine:ident, $reason:literal))? => $run:path),* $(,)?) => {
        &[$(Scenario {
            name: $name,
            length: Length::$length,
            only: [$(Some((Engine::$engine, $reason)),)? None][0],
            run: |rig, report| Box::pin($run(rig, report)),
        }),*]
    };
}

/// Every case, in the order in which they run. Cases that end the daemon leave a running one behind.
pub const ALL: &[Scenario] = scenarios![
    "primary answers" Short => failures::primary_answers,
    "503, backup answers" Short => failures::unavailable,
    "chan_sip or PJSIP, 503, backup answers" Short => failures::old_driver_unavailable,
    "PJSIP wizard, 503, backup answers" Short => failures::wizard_unavailable,
    "unknown endpoint, backup answers" Short => failures::unknown_endpoint,
    "unreachable contact, backup answers" Short => failures::unreachable_contact,
    "TCP refused, backup answers" Short => failures::tcp_refused,
    "both 503" Short => failures::both_unavailable,
    "486 busy" Short => failures::busy,
    "404 dead number" Short => failures::dead_number,
    "silent primary" Short => silence::silent_primary,
    "100 then silence" Short => silence::trying_only,
    "slow refusal, slow backup, a third carrier left" Short => silence::slow_backup,
    "given up by the dialer after 100 or nothing" Short => silence::given_up,
    "limits of its own: ring, set-up, attempts" Short => own_limits::all,
    "caller cancels while it rings" Short => ends::caller_cancels,
    "caller ends first" Short => ends::caller_ends,
    "callee ends first" Short => ends::callee_ends,
    "answered and over at once" Short => ends::over_at_once,
    "manual call, 503, backup answers" Short => callers::manual,
    "manual call, early media" Short => callers::manual_early_media,
    "three-way call, 503, backup answers" Short => callers::three_way,
    "faked ringing, then 503: V goes on, M and DC stay" Short => callers::after_faked_ringing,
    "the leg inherits from its caller" Short => callers::inheritance,
    "trunk channel as caller, 503, backup answers" Short => callers::trunk_channel,
    "telephone, ringing" Short => media::ringing,
    "telephone, early media" Short => media::early_media,
    "telephone, ringing then early media" Short => media::ringing_then_early_media,
    "telephone, option r" Short => media::ring_at_once,
    "telephone, 503, backup rings" Short => media::failover_then_ringing,
    "telephone, early media then 503" Short => media::no_failover_after_media,
    "telephone, early media then 503, failover allowed" Short => media::failover_after_media,
    "telephone, early media, chan_sip or PJSIP" Short => media::early_media_of_the_old_driver,
    "telephone hangs up while it rings" Short => media::hangs_up_while_it_rings,
    "488, repaired" Short only(Stasis, "Dial() offers what the trunk allows")
        => repair::codec_488,
    "415, repaired" Short only(Stasis, "Dial() offers what the trunk allows")
        => repair::codec_415,
    "606, repaired" Short only(Stasis, "Dial() offers what the trunk allows")
        => repair::codec_606,
    "488, repaired, chan_sip or PJSIP" Short only(Stasis, "Dial() offers what the trunk allows")
        => repair::codec_of_the_old_driver,
    "488, repaired in vain, backup answers" Short only(Stasis, "Dial() offers what the trunk allows")
        => repair::in_vain,
    "488 after ringing" Short => repair::not_after_ringing,
    "491, sent again" Short => repair::pending_491,
    "491, sent again, chan_sip or PJSIP" Short => repair::pending_491_of_the_old_driver,
    "488, repaired, manual call" Short only(Stasis, "Dial() offers what the trunk allows")
        => repair::codec_of_a_manual_call,
    "422, Asterisk repairs it" Short => repair::session_interval,
    "422, Asterisk repairs it, chan_sip or PJSIP" Short => repair::session_interval_of_the_old_driver,
    "422 without Min-SE, chan_sip or PJSIP" Short => repair::session_interval_untold,
    "parity, PJSIP, V" Short => parity::pjsip_auto,
    "parity, PJSIP, M" Short => parity::pjsip_manual,
    "parity, PJSIP, DC" Short => parity::pjsip_three_way,
    "parity, chan_sip or PJSIP, V" Short => parity::old_driver_auto,
    "parity, chan_sip or PJSIP, M" Short => parity::old_driver_manual,
    "parity, chan_sip or PJSIP, DC" Short => parity::old_driver_three_way,
    "redirected to 8368" Short => redirect::daemon_alive,
    "redirected after a late 503, parked, transferred" Short => redirect::after_a_late_refusal,
    "redirected after faked ringing, parked, transferred" Short => redirect::after_faked_ringing,
    "redirected to 8368, daemon killed" Short => redirect::daemon_killed,
    "redirected to 8368, its place stays taken" Short => redirect::keeps_its_place,
    "redirected to 8368, its place stays taken over restarts" Short => redirect::keeps_its_place_over_restarts,
    "person or machine, found after a failover" Short => machines::after_a_failover,
    "302 to itself" Short => redirection::to_itself,
    "302 to another number" Short => redirection::to_another_number,
    "302 to a stranger's host" Short => redirection::to_a_stranger,
    "302 into the dialplan" Short => redirection::into_the_dialplan,
    "302 to another trunk" Short => redirection::to_another_trunk,
    "302, manual call" Short => redirection::manual_call,
    "302, chan_sip or PJSIP" Short => redirection::old_driver,
    "302 to a stranger's host, chan_sip or PJSIP" Short => redirection::old_driver_to_a_stranger,
    "302 into the dialplan, chan_sip or PJSIP" Short => redirection::old_driver_into_the_dialplan,
    "daemon not running" Short => away::not_running,
    "wrong ARI password" Short => away::wrong_password,
    "daemon killed during 20 calls, restarted" Short => away::killed_during_calls,
    "daemon stopped during 20 calls, restarted" Short => away::stopped_during_calls,
    "second daemon takes over" Short => away::taken_over,
    "daemon killed with an attempt out" Short => records::killed_with_an_attempt_out,
    "database locked, daemon killed" Short => records::database_locked,
    "tables in MariaDB, its server killed" Short => mariadb::server_killed,
    "two dialers on one database" Short => dialers::two,
    "VICIdial finds the backup's leg" Short => recent_channels::found,
    "VICIdial's table missing, locked, gone" Short => recent_channels::not_written,
    "VICIdial's leg, nobody to be asked" Short only(Agi, "Stasis answers the caller itself")
        => recent_channels::asked_of_nobody,
    "connection cut for 1 s" Short => away::cut_for_a_second,
    "connection cut for 60 s" Long => away::cut_for_a_minute,
    "Asterisk restarted" Short => away::asterisk_restarted,
    "daemon frozen" Short => away::frozen,
    "engines by kind of call" Short only(Stasis, "the case chooses engines itself: once is enough") => engines::by_kind,
    "engines by entry" Short only(Stasis, "the case chooses engines itself: once is enough") => engines::by_entry,
    "ring limit at the backup" Short => fast_agi::ring_limit,
    "daemon killed between attempts" Short only(Agi, "a caller in Stasis stays until the next daemon comes")
        => fast_agi::killed_between_attempts,
    "answered after the daemon was killed" Short only(Agi, "Stasis hangs a leg up that is answered while no daemon is there")
        => fast_agi::answered_after_the_daemon,
    "too many FastAGI sessions" Short only(Agi, "Stasis has no such limit") => fast_agi::too_many_sessions,
    "ARI cut, FastAGI goes on" Short only(Agi, "without ARI a caller cannot enter Stasis") => fast_agi::ari_cut,
    "race: caller gone, next leg asked for" Short only(Stasis, "Asterisk asks for nothing more while it waits for FastAGI")
        => races::between_attempts,
    "race: caller gone, next leg on its way" Short
        => races::with_the_next_leg_on_its_way,
    "race: caller gone with the 503" Short => races::hangs_up_with_the_refusal,
    "race: caller gone with the answer" Short => races::hangs_up_with_the_answer,
    "race: caller gone with the redirect" Short => races::redirected_as_the_caller_ends,
    "race: redirected while the connection is cut" Short
        => races::redirected_in_a_gap,
    "race: 200 to a CANCEL" Short => races::answers_a_cancel,
    "race: answer of a leg given up" Short
        => races::late_answer,
    "race: 503 five times" Short => races::refuses_five_times,
    "race: silent carrier wakes up late" Short => races::wakes_up_late,
    "race: stale ringing of a leg given up" Short only(Stasis, "Dial() shows what its leg does until it ends it")
        => races::stale_progress,
    "race: connection cut for 300 ms between attempts" Short
        => races::cut_for_a_moment,
    "race: connection cut for 3 s between attempts" Short
        => races::cut_for_seconds,
    "carrier row edited" Short => edits::used_at_once,
    "carrier row broken by an edit" Short => edits::broken,
    "carrier row edited, files not rebuilt yet" Short => edits::held_back,
    "carrier row edited, endpoint loaded later" Short => edits::endpoint_loaded_later,
    "carrier table gone" Short => edits::table_gone,
    "call id on every log line" Short => logs::call_id_on_every_line,
    "check: all well" Short => check::healthy,
    "check: wrong password" Short => check::wrong_password,
    "check: manager interface" Short => check::manager_interface,
    "check: user may only read" Short => check::read_only_user,
    "check: no channelvars" Short => check::no_channelvars,
    "check: dialplan not included" Short => check::no_dialplan,
    "check: another edition of the dialplan" Short => check::another_edition,
    "check: settings of Asterisk" Short => check::settings,
    "check: carriers" Short => check::carriers,
    "check: VICIdial's table of trunk channels" Short => check::recent_channels,
    "check: daemon not running" Short => check::no_daemon,
    "check: Asterisk stopped" Short => check::no_asterisk,
    "installed without an editor and taken out" Short => install::in_and_out,
    "installed by VICIdial's custom dialplan" Short => install::by_custom_dialplan,
    "installed where ARI never was" Short => install::where_ari_never_was,
    "operator removes and adds a route" Short => operator::routes,
    "operator lists calls" Short => operator::calls,
    "operator disables the primary and enables it" Short => operator_word::disables_and_enables,
    "operator drains the primary under a call" Short => operator_word::drains,
    "operator wants only the backup" Short => operator_word::wants_only_the_backup,
    "operator disables all carriers" Short => operator_word::disables_all,
    "operator's word outlives the daemon and ends by itself" Short => operator_word::outlives_the_daemon,
    "operator reloads the tables" Short => operator::reload,
    "operator, a second daemon takes over" Short => operator::second_daemon,
    "200 calls, every second primary 503" Short => load::burst,
    "200 calls, the backup at its limits" Short => load::limits,
    "health: silent primary under 10 calls/s, then back" Short => health::silent_then_back,
    "health: registration refused" Short => health::registration_refused,
    "health: 503 storm at 20 calls/s" Short => health::storm,
    "health: probes fine, INVITEs dead" Short => health::probes_fine_invites_dead,
    "health: probes dead, INVITEs fine" Short => health::probes_dead_invites_fine,
    "health: probes say standby, then back" Short => health::standby,
    "health: probes of one carrier, over TCP" Short only(Stasis, "no call comes into it")
        => health::probes::set_for_a_carrier,
    "health: flapping, 5 s good, 5 s bad" Short only(Stasis, "what opens and closes is the same for both engines")
        => health::flapping,
    "health: Asterisk's qualify, PJSIP" Short => health::qualify::of_pjsip,
    "health: Asterisk's qualify, chan_sip or PJSIP" Short => health::qualify::of_the_old_driver,
    "health: dead primary over restarts" Short => health::restarts::storm,
    "health: silent primary over restarts" Short => health::restarts::silence,
    "health: probes fine, INVITEs dead over restarts" Short only(Stasis, "what opens and closes is the same for both engines")
        => health::restarts::probes_fine_invites_dead,
    "health: probes dead, INVITEs fine over a restart" Short only(Stasis, "what opens and closes is the same for both engines")
        => health::restarts::probes_dead_invites_fine,
    "health: flapping over a restart" Short only(Stasis, "what opens and closes is the same for both engines")
        => health::restarts::flapping,
    "health: the backup's limit over a kill in a burst" Short => health::restarts::limit,
    "health: back without OPTIONS" Long only(Stasis, "what opens and closes is the same for both engines")
        => health::restarts::back_without_options,
    "health: Asterisk restarted, its qualify has not asked yet" Short only(Stasis, "the same for both engines")
        => health::qualify::asterisk_restarted,
    "health: disabled with a probe on its way" Short only(Stasis, "no call comes into it")
        => health::probes::disabled_in_flight,
    "health: disabled by the operator" Short => health::disabled,
    "health: 200 calls in a second, primary dead" Short => health::burst,
    "new carrier, PJSIP, by address" Short => new_carriers::pjsip_by_address,
    "new carrier, PJSIP, by login" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::pjsip_by_login,
    "new carrier, PJSIP, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::pjsip_registers,
    "new carrier, PJSIP wizard, by address" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::wizard_by_address,
    "new carrier, PJSIP wizard, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::wizard_registers,
    "new carrier, PJSIP over TCP, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::pjsip_over_tcp,
    "new carrier, PJSIP wizard over TCP, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::wizard_over_tcp,
    "new carrier, PJSIP over TLS, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::pjsip_over_tls,
    "new carrier, PJSIP wizard over TLS, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::wizard_over_tls,
    "new carrier, PJSIP, registers with us" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::pjsip_dynamic,
    "new carrier, PJSIP wizard, registers with us" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::wizard_dynamic,
    "new carrier, chan_sip, by address" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::chan_sip_by_address,
    "new carrier, chan_sip, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::chan_sip_registers,
    "new carrier, chan_sip over TCP, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::chan_sip_over_tcp,
    "new carrier, chan_sip over TLS, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::chan_sip_over_tls,
    "new carrier, chan_sip, registers with us" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::chan_sip_dynamic,
    "new carrier, IAX2, by address" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::iax2_by_address,
    "new carrier, IAX2, by login" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::iax2_by_login,
    "new carrier, IAX2, registers" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::iax2_registers,
    "new carrier, IAX2, registers with us" Short only(Stasis, "what is written is the same for both engines")
        => new_carriers::iax2_dynamic,
    "10,000 calls, memory" Long => load::growth,
    "soak: every end of a call, over and over" Long only(Stasis, "the engines take turns: once is enough") => load::soak,
];

/// A call that has ended, with what everybody saw of it.
struct Ended {
    end: Arc<AgiRecord>,
    primary: Vec<CallRecord>,
    backup: Vec<CallRecord>,
}

/// What a case expects of a call.
struct Expected<'a> {
    dialstatus: &'a str,
    cause: u16,
    tech: &'a str,
    /// Carrier, SIP code and verdict of each attempt.
    attempts: &'a [(&'a str, Option<u16>, &'a str)],
    primary_invites: usize,
    backup_invites: usize,
}

/// What is expected of a call that is answered in the end.
const ANSWERED: Expected<'_> = Expected {
    dialstatus: "ANSWER",
    cause: 16,
    tech: "SIP 200 OK",
    attempts: &[],
    primary_invites: 0,
    backup_invites: 0,
};

/// What is expected of a call that the primary carries.
const PRIMARY_CARRIES: Expected<'_> = Expected {
    attempts: &[("PRIMARY", Some(200), "stop")],
    primary_invites: 1,
    backup_invites: 0,
    ..ANSWERED
};

/// Waits for the end of a call and compares what everybody saw with what is expected.
async fn finish(
    rig: &Rig,
    report: &mut Report,
    code: &str,
    number: &Number,
    expected: &Expected<'_>,
) -> Result<Ended, LabError> {
    let end = rig.agi.wait_for_end(code, DIAL_TIMEOUT + SOON).await?;
    let attempts = rig.attempts(&end, expected.attempts.len()).await?;
    rig.wait_until_empty(SOON).await?;
    let (primary, backup) = (rig.seen(&rig.primary, number), rig.seen(&rig.backup, number));
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.carrier_saw(BACKUP, &backup);
    report.crankback_said(&attempts, &[primary.clone(), backup.clone()].concat());
    report.equal("DIALSTATUS", end.dialstatus.as_str(), expected.dialstatus);
    report.equal("HANGUPCAUSE", end.hangup_cause, Some(expected.cause));
    report.equal("technology cause", end.tech_cause.as_str(), expected.tech);
    let seen: Vec<_> = attempts
        .iter()
        .map(|row| (row.carrier_id.as_str(), row.sip_code, row.verdict.as_str()))
        .collect();
    report.equal("attempts", seen.as_slice(), expected.attempts);
    report.check(
        "what each verdict rests on is on record",
        attempts.iter().all(|row| {
            let words = [&row.rule, &row.authority, &row.ended_by, &row.source, &row.health];
            words.into_iter().all(Option::is_some) && row.elapsed_ms.is_some()
        }),
    );
    let last = attempts.last().map(|row| row.dialstatus.as_str());
    report.equal(
        "DIALSTATUS on record of the last attempt",
        last,
        Some(expected.dialstatus),
    );
    report.equal("INVITEs at the primary", primary.len(), expected.primary_invites);
    report.equal("INVITEs at the backup", backup.len(), expected.backup_invites);
    for invite in primary.iter().chain(&backup) {
        report.equal("call code on the trunk", invite.caller_name.as_str(), code);
    }
    Ok(Ended { end, primary, backup })
}

/// The same call through plain `Dial()`, with the primary doing the same.
async fn oracle(rig: &Rig, report: &mut Report, entry: Entry, primary: Script) -> Result<Arc<AgiRecord>, LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, primary);
    let call = rig
        .dialer
        .auto_dial(&number.dialled, NATIVE_CONTEXT, DIAL_TIMEOUT)
        .await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    report.note(format!(
        "plain Dial(): {}/{} {}",
        end.dialstatus,
        end.hangup_cause.map_or("-".to_owned(), |cause| cause.to_string()),
        end.tech_cause
    ));
    Ok(end)
}

/// Compares with plain `Dial()`; times may straddle a second.
fn same_as_dial(report: &mut Report, seen: &AgiRecord, dial: &AgiRecord) {
    report.equal("DIALSTATUS of plain Dial()", &seen.dialstatus, &dial.dialstatus);
    report.equal("HANGUPCAUSE of plain Dial()", seen.hangup_cause, dial.hangup_cause);
    report.equal("technology cause of plain Dial()", &seen.tech_cause, &dial.tech_cause);
    for (what, seen, dial) in [
        ("DIALEDTIME", seen.dialed_time_seconds, dial.dialed_time_seconds),
        ("ANSWEREDTIME", seen.answered_time_seconds, dial.answered_time_seconds),
    ] {
        let close = match (seen, dial) {
            (Some(seen), Some(dial)) => seen.abs_diff(dial) <= 1,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        report.check(format!("{what}: {seen:?}, plain Dial() {dial:?}"), close);
    }
}

/// Answers, talks for a second, hangs up.
fn answers() -> Script {
    Script::new()
        .trying()
        .ringing()
        .finally(Answer::with_rtp().hang_up_after(Duration::from_secs(1)))
}

/// Answers and waits for the caller to hang up.
fn answers_and_waits() -> Script {
    Script::new().trying().ringing().finally(Answer::with_rtp())
}

fn refuses(code: u16) -> Script {
    Script::new().trying().finally(Refusal::code(code))
}

/// An auto-dialled call in context `default`.
async fn auto_dial(rig: &Rig, number: &Number) -> Result<PlacedCall, LabError> {
    rig.dialer
        .auto_dial(&number.dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT)
        .await
}
