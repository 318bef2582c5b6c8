//! Stand-ins for Asterisk: one where all is well, and one that is not there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::ari_support::{FakeAsterisk, Reply, Seen, info};

/// base64 of crankback:hunter2-is-secret
const CREDENTIALS: &str = "Basic Y3JhbmtiYWNrOmh1bnRlcjItaXMtc2VjcmV0";

/// An Asterisk with a connected daemon, every endpoint, this program's dialplan and the shipped settings; of a version
/// without known faults. Needs a multi-threaded runtime, for the program under test blocks a thread.
pub(super) async fn healthy_asterisk() -> String {
    let mut fake = FakeAsterisk::start(answer).await;
    let address = url(fake.address);
    tokio::spawn(async move {
        loop {
            let mut websocket = fake.websockets.recv().await.expect("the fake runs");
            let created = request(&fake, "POST /ari/channels/create").await;
            let id = created.line.split("channelId=").nth(1).expect("a channel id");
            let channel = json!({ "id": id, "channelvars": { "EVAL(${${CB_RX}})": "SIP 299 Check" } });
            for (kind, cause) in [
                ("StasisStart", "POST /ari/channels/create"),
                ("ChannelDestroyed", "DELETE /ari/channels/"),
            ] {
                request(&fake, cause).await;
                let event = json!({ "type": kind, "args": [], "channel": channel }).to_string();
                websocket.send(Message::text(event)).await.expect("the program listens");
            }
        }
    });
    address
}

/// Waits for a request that begins so.
async fn request(fake: &FakeAsterisk, beginning: &str) -> Seen {
    loop {
        let seen = fake.seen().into_iter().find(|seen| seen.line.starts_with(beginning));
        match seen {
            Some(seen) => return seen,
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

fn answer(request: &Seen) -> Reply {
    if request.authorization != CREDENTIALS {
        return Reply::Json(401, r#"{"error":"Unauthorized"}"#.to_owned());
    }
    let (_, path) = request.line.split_once(" /ari/").expect("an ARI request");
    let value = |value: &str| Reply::Json(200, json!({ "value": value }).to_string());
    match path.split('?').next().expect("a path") {
        "asterisk/info" => info("22.9.0"),
        "events" => Reply::Websocket,
        "channels/create" => Reply::Json(200, r#"{"id":"any"}"#.to_owned()),
        "asterisk/config/dynamic/res_pjsip/global/global" => Reply::Json(
            200,
            r#"[{"attribute":"taskprocessor_overload_trigger","value":"pjsip_only"}]"#.to_owned(),
        ),
        _ if path.contains("config/dynamic/res_pjsip/transport/") => Reply::Json(200, "[]".to_owned()),
        _ if path.contains("config/dynamic/res_pjsip/endpoint/") => {
            Reply::Json(200, r#"[{"attribute":"transport","value":"transport-udp"}]"#.to_owned())
        }
        _ if path.contains("DIALPLAN_EXISTS") => value("1"),
        _ if path.contains("enabled") => value("yes"),
        _ if path.contains("AST_CONFIG") => value("60000"),
        _ => Reply::Json(200, "{}".to_owned()),
    }
}

/// An Asterisk that does what it is told and tells nothing; what it was asked is on record.
pub(super) async fn silent_asterisk() -> (FakeAsterisk, String) {
    let fake = FakeAsterisk::start(|_| Reply::Json(200, "{}".to_owned())).await;
    let address = url(fake.address);
    (fake, address)
}

/// An address that refuses connections: port 1 belongs to a service that nobody runs.
pub(super) fn nothing() -> String {
    url((Ipv4Addr::LOCALHOST, 1).into())
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
