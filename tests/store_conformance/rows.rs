//! Rows for the cases.

use crankback::store::{AttemptFilter, AttemptRow, AuditRow, NewRoute, RouteAdded, Store};

/// A route from PRIMARY to `carrier`.
pub fn route(carrier: &str) -> NewRoute {
    NewRoute {
        entry_carrier_id: Some("PRIMARY".into()),
        campaign_id: None,
        match_type: "prefix".into(),
        match_text: "91".into(),
        carrier_id: carrier.into(),
        priority: 2,
        weight: 1,
        cost: Some(1_250),
        schedule: None,
        strip_prefix: Some(1),
        add_prefix: Some("00".into()),
        enabled: true,
    }
}

/// The dialer of the attempts.
pub const SERVER_IP: &str = "10.0.0.7";

/// Attempt `n` of a call, over.
pub fn attempt(call: &str, n: u32, started_ms: i64) -> AttemptRow {
    AttemptRow {
        server_ip: SERVER_IP.into(),
        call_id: call.into(),
        n,
        number: "13125550100".into(),
        carrier_id: "PRIMARY".into(),
        entry_carrier: "PRIMARY".into(),
        campaign: Some("TEST".into()),
        started_ms,
        progress: "trying".into(),
        progress_ms: Some(started_ms + 40),
        ended_ms: Some(started_ms + 90),
        sip_code: Some(503),
        sip_phrase: Some("Service Unavailable".into()),
        q850_cause: Some(34),
        verdict: "next_carrier".into(),
        why: "503: the carrier has no circuit".into(),
        rule: None,
        dialstatus: "CONGESTION".into(),
        channel_id: "1795220185.901000001".into(),
        sip_call_id: None,
        caller_channel: "Local/913125550100@default-00000001;2".into(),
        technology: Some("PJSIP".into()),
        answered_ms: None,
        elapsed_ms: Some(91),
        ended_by: Some("carrier".into()),
        source: Some("received".into()),
        authority: Some("default".into()),
        health: Some("strong".into()),
    }
}

/// The same attempt while it is still out.
pub fn open(attempt: AttemptRow) -> AttemptRow {
    AttemptRow {
        progress: "none".into(),
        progress_ms: None,
        ended_ms: None,
        sip_code: None,
        sip_phrase: None,
        q850_cause: None,
        verdict: "open".into(),
        why: String::new(),
        dialstatus: String::new(),
        elapsed_ms: None,
        ended_by: None,
        source: None,
        authority: None,
        health: None,
        ..attempt
    }
}

/// Every attempt since a moment, at most `limit`.
pub const fn since(since_ms: i64, limit: u32) -> AttemptFilter {
    AttemptFilter {
        since_ms: Some(since_ms),
        carrier_id: None,
        sip_code: None,
        call_id: None,
        limit,
    }
}

/// A command about a route, on record.
pub fn audit(command: &str, id: i64) -> AuditRow {
    AuditRow {
        at_ms: 1_795_220_185_000,
        actor: "uid:1000 (alice)".into(),
        command: command.into(),
        target: format!("route {id}"),
        detail: "{}".into(),
        outcome: "done".into(),
    }
}

/// Adds a route and its audit row.
pub async fn add(store: &Store, route: NewRoute) -> RouteAdded {
    let added = store.add_route(route, |id| audit("route_add", id)).await;
    added.expect("the store answers")
}

/// Removes a route; gives whether there was one.
pub async fn remove(store: &Store, id: i64) -> bool {
    let removed = store.remove_route(id, audit("route_remove", id)).await;
    removed.expect("the store answers")
}
