//! Which modules an instance leaves out: those for hardware and databases that are not there, and those that complain
//! about a configuration nobody here needs. All others load, as on a real server.

/// Names without `.so`, for both versions; a name that a version does not have is no error.
const LEFT_OUT: &[&str] = &[
    // Hardware and desktop sound.
    "chan_alsa",
    "chan_console",
    "chan_oss",
    "app_jack",
    // Other protocols.
    "chan_iax2",
    "chan_mgcp",
    "chan_motif",
    "chan_skinny",
    "chan_unistim",
    "pbx_dundi",
    "res_xmpp",
    // Databases and their users.
    "cdr_adaptive_odbc",
    "cdr_odbc",
    "cdr_pgsql",
    "cdr_radius",
    "cdr_sqlite3_custom",
    "cdr_tds",
    "cel_odbc",
    "cel_pgsql",
    "cel_radius",
    "cel_sqlite3_custom",
    "cel_tds",
    "func_odbc",
    "res_config_curl",
    "res_config_ldap",
    "res_config_odbc",
    "res_config_pgsql",
    "res_config_sqlite3",
    "res_odbc",
    "res_odbc_transaction",
    // Call records: kept in memory, written nowhere.
    "cdr_csv",
    "cdr_custom",
    "cdr_manager",
    "cel_custom",
    "cel_manager",
    "res_cdrel_custom",
    // Features that want a configuration file of their own.
    "app_agent_pool",
    "app_alarmreceiver",
    "app_festival",
    "app_followme",
    "app_minivm",
    "app_page",
    "app_queue",
    "app_voicemail",
    "app_voicemail_imap",
    "app_voicemail_odbc",
    "chan_websocket",
    "pbx_ael",
    "pbx_lua",
    "res_adsi",
    "res_ael_share",
    "app_adsiprog",
    "app_getcpeid",
    "res_aeap",
    "res_speech_aeap",
    "res_calendar",
    "res_calendar_caldav",
    "res_calendar_ews",
    "res_calendar_exchange",
    "res_calendar_icalendar",
    "res_fax",
    "res_fax_spandsp",
    "res_geolocation",
    "res_pjsip_geolocation",
    "res_hep",
    "res_hep_pjsip",
    "res_hep_rtcp",
    "res_http_media_cache",
    "res_parking",
    "res_phoneprov",
    "res_pjsip_phoneprov_provider",
    "res_pjsip_transport_websocket",
    "res_prometheus",
    "res_smdi",
    "res_snmp",
    "res_statsd",
    "res_stir_shaken",
    "res_pjsip_stir_shaken",
    "res_stun_monitor",
    // Deprecated, and they say so in the log at every start.
    "app_ices",
    "app_image",
    "app_nbscat",
    "app_url",
    "res_monitor",
];

/// `modules.conf`.
pub fn modules_conf() -> String {
    let left_out: String = LEFT_OUT
        .iter()
        .map(|module| format!("noload = {module}.so\n"))
        .collect();
    format!("[modules]\nautoload = yes\n{left_out}")
}
