//! The dialplan: the extensions that a dialed call passes on a VICIdial server, in the fewest words.

use super::settings::AsteriskConfig;

/// Where the agent's side of an auto-dialed call waits to be answered for.
pub const AUTO_DIAL_EXTENSION: &str = "138368";
/// Where an answered customer is redirected to.
pub const CUSTOMER_EXTENSION: &str = "8368";
/// Where an answered customer is redirected to whose campaign wants to know machines from people.
pub const MACHINE_DETECTION_EXTENSION: &str = "8369";
/// The script that is told what was found, as `VD_amd-----AMDSTATUS-----AMDCAUSE`.
pub const MACHINE_DETECTED: &str = "VD_amd";
/// The conference of the one agent.
pub const AGENT_CONFERENCE: &str = "8600051";

/// The end of a call as VICIdial is told it. The last `)` but one is VICIdial's own: part of the argument.
const END_OF_CALL: &str = "exten => h,1,AGI(agi://127.0.0.1:4577/call_log--HVcauses--PRI-----NODEBUG-----${HANGUPCAUSE}\
-----${DIALSTATUS}-----${DIALEDTIME}-----${ANSWEREDTIME}-----${HANGUPCAUSE(${HANGUPCAUSE_KEYS()},tech)}))";

/// `extensions.conf`. `included` are names of files in the same directory.
pub fn extensions_conf(config: &AsteriskConfig, included: &[String]) -> String {
    let includes: String = included.iter().map(|name| format!("#include {name}\n")).collect();
    let AsteriskConfig {
        globals,
        carrier_entries,
        native_entries,
        extra_dialplan,
        ..
    } = config;
    let text = format!(
        "[general]\n\
         static = yes\n\
         writeprotect = yes\n\
         \n\
         [globals]\n\
         {globals}\n\
         \n\
         [default]\n\
         {END_OF_CALL}\n\
         include => vicidial-auto\n\
         ; The agent's half of an auto-dialed call, for the time until the customer is taken over.\n\
         exten => {AUTO_DIAL_EXTENSION},1,Wait(2)\n\
         exten => {AUTO_DIAL_EXTENSION},2,Hangup()\n\
         ; The customer, taken over.\n\
         exten => {CUSTOMER_EXTENSION},1,Answer()\n\
         exten => {CUSTOMER_EXTENSION},2,AGI(agi://127.0.0.1:4577/call_log)\n\
         exten => {CUSTOMER_EXTENSION},3,Wait(3600)\n\
         exten => {CUSTOMER_EXTENSION},4,Hangup()\n\
         ; The same after a look for an answering machine, with the limits of VICIdial's samples.\n\
         exten => {MACHINE_DETECTION_EXTENSION},1,Answer()\n\
         exten => {MACHINE_DETECTION_EXTENSION},2,AGI(agi://127.0.0.1:4577/call_log)\n\
         exten => {MACHINE_DETECTION_EXTENSION},3,AMD(2000,2000,1000,5000,120,50,4,256)\n\
         exten => {MACHINE_DETECTION_EXTENSION},4,AGI(agi://127.0.0.1:4577/{MACHINE_DETECTED}-----${{AMDSTATUS}}-----${{AMDCAUSE}})\n\
         exten => {MACHINE_DETECTION_EXTENSION},5,Wait(3600)\n\
         ; The agents' conferences.\n\
         exten => _8600XXX,1,Answer()\n\
         exten => _8600XXX,2,ConfBridge(${{EXTEN}})\n\
         exten => _8600XXX,3,Hangup()\n\
         \n\
         [vicidial-auto]\n\
         {END_OF_CALL}\n\
         include => vicidial-auto-external\n\
         \n\
         [vicidial-auto-external]\n\
         {END_OF_CALL}\n\
         {carrier_entries}\n\
         \n\
         [native]\n\
         {END_OF_CALL}\n\
         include => native-external\n\
         \n\
         [native-external]\n\
         {END_OF_CALL}\n\
         {native_entries}\n\
         \n\
         [trunkinbound]\n\
         {END_OF_CALL}\n\
         \n\
         {extra_dialplan}\n\
         {includes}"
    );
    config.with_replacements(&text)
}
