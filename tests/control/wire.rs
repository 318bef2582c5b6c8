//! The wire's words are an interface: they must not change by accident.

use crankback::control::{
    Attempts, CarrierAdd, CarrierOperate, CarrierTest, Command, Explain, Numbers, Query, Request, RouteAdd,
};
use crankback::health::OperatorWord;

fn query(query: Query) -> Request {
    Request::Query(query)
}

#[test]
fn requests_have_stable_words() {
    let add = RouteAdd {
        entry: Some("PRIMARY".into()),
        carrier: "BACKUP".into(),
        priority: 3,
        campaign: None,
        numbers: Numbers::Prefix("1312".into()),
        schedule: None,
        strip: Some(1),
        add_prefix: None,
    };
    let explain = Explain {
        number: "913125550100".into(),
        entry: None,
        campaign: None,
        at_ms: None,
    };
    let attempts = Attempts {
        code: Some(503),
        ..Attempts::default()
    };
    let cases = [
        (query(Query::Status), r#"{"query":{"name":"status"}}"#),
        (query(Query::Carriers), r#"{"query":{"name":"carriers"}}"#),
        (
            query(Query::Carrier { id: "A".into() }),
            r#"{"query":{"name":"carrier","id":"A"}}"#,
        ),
        (query(Query::Routes), r#"{"query":{"name":"routes"}}"#),
        (
            query(Query::Explain(explain)),
            r#"{"query":{"name":"explain","number":"913125550100","entry":null,"campaign":null,"at_ms":null}}"#,
        ),
        (query(Query::Calls), r#"{"query":{"name":"calls"}}"#),
        (
            query(Query::Attempts(attempts)),
            r#"{"query":{"name":"attempts","since_ms":null,"carrier":null,"code":503,"call":null,"limit":null}}"#,
        ),
        (
            Request::Command(Command::RouteAdd(add)),
            r#"{"command":{"name":"route_add","entry":"PRIMARY","carrier":"BACKUP","priority":3,"campaign":null,"numbers":{"prefix":"1312"},"schedule":null,"strip":1,"add_prefix":null}}"#,
        ),
        (
            Request::Command(Command::CarrierTest(CarrierTest {
                id: "A".into(),
                number: "13125550100".into(),
                caller_id: None,
                ring_s: 30,
            })),
            r#"{"command":{"name":"carrier_test","id":"A","number":"13125550100","caller_id":null,"ring_s":30}}"#,
        ),
        (
            Request::Command(Command::RouteRemove { id: 3 }),
            r#"{"command":{"name":"route_remove","id":3}}"#,
        ),
        (
            Request::Command(Command::CarrierOperate(CarrierOperate {
                id: "A".into(),
                word: OperatorWord::Disabled,
                reason: Some("maintenance".into()),
                for_s: Some(7_200),
            })),
            r#"{"command":{"name":"carrier_operate","id":"A","word":"disabled","reason":"maintenance","for_s":7200}}"#,
        ),
        (Request::Command(Command::Reload), r#"{"command":{"name":"reload"}}"#),
    ];
    for (request, text) in cases {
        assert_eq!(serde_json::to_string(&request).expect("is written"), text);
        let read: Request = serde_json::from_str(text).expect("is read");
        assert_eq!(read, request, "{text}");
        if let Request::Command(command) = request {
            assert!(text.contains(&format!("\"name\":\"{}\"", command.name())), "{text}");
        }
    }
}

#[test]
fn what_is_left_out_has_a_default_and_what_is_unknown_is_refused() {
    let short = r#"{"command":{"name":"route_add","carrier":"BACKUP"}}"#;
    let Ok(Request::Command(Command::RouteAdd(add))) = serde_json::from_str(short) else {
        panic!("is a route");
    };
    assert_eq!((add.entry, add.priority, add.numbers), (None, 2, Numbers::Any));
    let short = r#"{"query":{"name":"attempts"}}"#;
    let read: Request = serde_json::from_str(short).expect("is read");
    assert_eq!(read, query(Query::Attempts(Attempts::default())));
    for wrong in [
        r#"{"command":{"name":"route_add","carrier":"BACKUP","campain":"TEST"}}"#,
        r#"{"command":{"name":"route_remove","id":3,"force":true}}"#,
        r#"{"query":{"name":"attempts","codes":503}}"#,
        r#"{"query":{"name":"explain"}}"#,
        r#"{"query":{"name":"route_remove","id":3}}"#,
        r#"{"query":{"name":"calls"},"command":{"name":"reload"}}"#,
        r#""status""#,
    ] {
        assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_carrier_is_described_in_stable_words() {
    let text = r#"{"id":"A","kind":"register_trunk","host":"sip.a.example:5070","transport":"tcp","transport_section":null,"user":"u","password":"p","codecs":["ulaw"],"strip":1,"prefix":"+","pattern":null,"protocol":"PJSIP_WIZ","context":null,"all_servers":true,"upstream_group":null}"#;
    let add: CarrierAdd = serde_json::from_str(text).expect("is understood");
    assert_eq!(serde_json::to_string(&add).expect("JSON"), text);
    let least: CarrierAdd =
        serde_json::from_str(r#"{"id":"A","kind":"iax2","host":"dynamic"}"#).expect("the rest may be left out");
    assert_eq!((least.codecs.len(), least.all_servers), (0, false));
}
