//! VICIdial's tables: read as they are, an edit noticed, and nothing flapping while they stay the same.

use crankback::store::CampaignRow;

use super::stage::{Place, Stage};
use super::{Case, cases};

pub const CASES: [(&str, Case); 3] = cases![
    an_edit_of_another_program_changes_the_fingerprint,
    templates_and_the_wish_to_rebuild_are_read,
    missing_vicidial_tables_read_as_empty,
];

async fn an_edit_of_another_program_changes_the_fingerprint(stage: Stage) {
    let (scene, store) = stage.store().await;
    let fingerprint = async || store.fingerprint().await.expect("is read");
    let empty = fingerprint().await;
    scene
        .sql(
            "INSERT INTO vicidial_server_carriers (carrier_id, carrier_name, template_id, server_ip, dialplan_entry) \
             VALUES ('two', '', '--NONE--', '0.0.0.0', NULL), ('Three', '', '', '0.0.0.0', ''), \
             ('ONE', '', '', '10.0.0.7', 'exten => _91X.,1,Dial(SIP/a,,o)\nexten => _91X.,2,Hangup')",
        )
        .await;
    let added = fingerprint().await;
    assert_ne!(added.carriers, empty.carriers);
    assert_eq!(added.campaigns, empty.campaigns);

    let edit = "UPDATE vicidial_server_carriers SET carrier_name = 'One', active = 'N', protocol = 'IAX2' \
                WHERE carrier_id = 'ONE'";
    scene.sql(edit).await;
    let edited = fingerprint().await;
    assert_ne!(edited.carriers, added.carriers);
    assert_eq!(fingerprint().await, edited);

    let carriers = store.routing_tables().await.expect("are read").carriers;
    let ids: Vec<&str> = carriers.iter().map(|carrier| carrier.carrier_id.as_str()).collect();
    assert_eq!(
        ids,
        ["ONE", "Three", "two"],
        "the order does not depend on the database"
    );
    let one = &carriers[0];
    assert_eq!(
        (one.carrier_name.as_str(), one.protocol.as_str(), one.active),
        ("One", "IAX2", false)
    );
    assert_eq!(one.dialplan_entry.lines().count(), 2);
    let two = &carriers[2];
    assert_eq!(
        (two.dialplan_entry.as_str(), two.protocol.as_str(), two.active),
        ("", "SIP", true)
    );

    scene
        .sql("INSERT INTO vicidial_campaigns (campaign_id, dial_prefix, dial_timeout) VALUES ('TEST', '91', 200)")
        .await;
    assert_ne!(fingerprint().await.campaigns, edited.campaigns);
    let campaign = CampaignRow {
        campaign_id: "TEST".into(),
        dial_prefix: "91".into(),
        dial_timeout_s: 200,
    };
    assert_eq!(store.routing_tables().await.expect("are read").campaigns, [campaign]);
}

async fn templates_and_the_wish_to_rebuild_are_read(stage: Stage) {
    let (scene, store) = stage.store().await;
    let empty = store.fingerprint().await.expect("is read");
    scene
        .sql(
            "INSERT INTO vicidial_conf_templates (template_id, template_contents) \
             VALUES ('b', 'type = peer'), ('C', NULL), ('A', 'type = friend'); \
             INSERT INTO servers (server_ip, active, active_asterisk_server, generate_vicidial_conf, rebuild_conf_files) \
             VALUES ('10.0.0.4', NULL, 'Y', NULL, NULL), ('10.0.0.1', 'Y', 'Y', 'Y', 'Y'), \
             ('10.0.0.2', 'N', 'Y', 'N', 'Y'), ('10.0.0.3', 'Y', 'N', 'Y', 'N')",
        )
        .await;
    let tables = store.routing_tables().await.expect("are read");
    let ids: Vec<&str> = tables.templates.iter().map(|row| row.template_id.as_str()).collect();
    assert_eq!(ids, ["A", "C", "b"], "the order does not depend on the database");
    assert_eq!(tables.templates[2].template_contents, "type = peer");
    let due: Vec<_> = tables.servers.iter().map(|server| server.is_rebuild_due).collect();
    assert_eq!(due, [true, false, false, false]);
    let active: Vec<_> = tables.servers.iter().map(|server| server.is_active).collect();
    assert_eq!(active, [true, false, false, true]);
    assert_ne!(tables.fingerprint.templates, empty.templates);
    assert_ne!(tables.fingerprint.servers, empty.servers);
    assert_eq!(tables.fingerprint.carriers, empty.carriers);
    assert_eq!(store.fingerprint().await, Ok(tables.fingerprint));
}

async fn missing_vicidial_tables_read_as_empty(stage: Stage) {
    let scene = stage.bare("crankback.db").await;
    scene.migrate().await;
    let store = scene.open().await;
    if matches!(stage.place(), Place::Sqlite) {
        scene
            .sql(
                "DROP TABLE vicidial_server_carriers; DROP TABLE vicidial_campaigns; DROP TABLE servers; \
                 DROP TABLE vicidial_conf_templates",
            )
            .await;
    }
    let tables = store.routing_tables().await.expect("are read");
    assert!(tables.carriers.is_empty() && tables.campaigns.is_empty());
    assert!(tables.templates.is_empty() && tables.servers.is_empty());
    assert_eq!(store.fingerprint().await.expect("is read"), tables.fingerprint);
}
