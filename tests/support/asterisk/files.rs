//! The configuration files of an instance.

use std::fs;
use std::path::Path;

use super::super::error::{IoContext, LabError};
use super::super::ports::AsteriskPorts;
use super::super::roots::AsteriskVersion;
use super::super::sip::Certificate;
use super::settings::{AsteriskConfig, Trunk, TrunkTechnology};
use super::{AMI_SECRET, AMI_USER, ARI_PASSWORD, dialplan, modules};

/// The file that an admin merges.
const SHIPPED_ARI_CONF: &str = include_str!("../../../asterisk/ari.conf");

/// Certificate and key.
const TLS_FILE: &str = "tls.pem";

/// Modules complain when their file is missing, and are content with an empty one.
const EMPTY_FILES: &[&str] = &[
    "acl.conf",
    "amd.conf",
    "ccss.conf",
    "features.conf",
    "geolocation.conf",
    "pjproject.conf",
    "pjsip_notify.conf",
    "pjsip_wizard.conf",
    "stir_shaken.conf",
    "udptl.conf",
    "websocket_client.conf",
];

/// Writes them all into `directory`. `tree` is the instance's directory as Asterisk sees it.
pub fn write_all(
    directory: &Path,
    tree: &Path,
    version: AsteriskVersion,
    config: &AsteriskConfig,
    ports: &AsteriskPorts,
) -> Result<(), LabError> {
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).context(|| format!("writing {}", path.display()))
    };
    for name in EMPTY_FILES {
        write(name, "")?;
    }
    write("asterisk.conf", &asterisk_conf(tree))?;
    write("modules.conf", &modules::modules_conf())?;
    write("logger.conf", LOGGER_CONF)?;
    write("cdr.conf", "[general]\nenable = yes\n")?;
    write("cel.conf", "[general]\nenable = no\n")?;
    write("confbridge.conf", CONFBRIDGE_CONF)?;
    write(
        "musiconhold.conf",
        &format!("[default]\nmode = files\ndirectory = {}/lib/moh\n", tree.display()),
    )?;
    write(
        "indications.conf",
        "[general]\ncountry = us\n[us]\ndescription = United States\nringcadence = 2000,4000\ndial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n",
    )?;
    write(
        "cli_aliases.conf",
        "[general]\ntemplate = lab\n[lab]\npjsip reload = module reload res_pjsip.so\n",
    )?;
    write(
        "rtp.conf",
        &format!(
            "[general]\nrtpstart = {}\nrtpend = {}\n",
            ports.rtp.start(),
            ports.rtp.end()
        ),
    )?;
    write("http.conf", &http_conf(ports.http))?;
    write("ari.conf", &ari_conf())?;
    write("manager.conf", &manager_conf(ports.ami))?;
    // Asterisk's own, and what it trusts: carriers of the lab show the same.
    write(TLS_FILE, &Certificate::of_loopback().pem)?;
    let pem = tree.join("etc").join(TLS_FILE).display().to_string();
    write("pjsip.conf", &pjsip_conf(&config.trunks, ports, &pem))?;
    write("sip.conf", &sip_conf(version, &config.trunks, ports, &pem)?)?;

    // Music on hold is there only when it has a file: a second of silence in mu-law.
    let silence = directory.with_file_name("lib/moh/silence.ulaw");
    fs::write(&silence, [0xff; 8_000]).context(|| format!("writing {}", silence.display()))?;

    let mut included = Vec::new();
    for (n, path) in config.dialplan_files.iter().enumerate() {
        let text = fs::read_to_string(path).context(|| format!("reading {}", path.display()))?;
        let name = format!("included-{n}.conf");
        write(&name, &config.with_replacements(&text))?;
        included.push(name);
    }
    write("extensions.conf", &dialplan::extensions_conf(config, &included))?;
    for (name, text) in &config.other_files {
        write(name, text)?;
    }
    Ok(())
}

/// Data and modules stay where the package put them.
fn asterisk_conf(tree: &Path) -> String {
    let tree = tree.display();
    format!(
        "[directories]\n\
         astetcdir => {tree}/etc\n\
         astvarlibdir => {tree}/lib\n\
         astkeydir => {tree}/lib\n\
         astdbdir => {tree}/db\n\
         astspooldir => {tree}/spool\n\
         astrundir => {tree}/run\n\
         astlogdir => {tree}/log\n\
         [options]\n\
         verbose = 3\n\
         maxfiles = 16384\n"
    )
}

const LOGGER_CONF: &str = "[general]\ndateformat = %F %T.%3q\n[logfiles]\nfull => notice,warning,error,verbose\n";

/// Quiet: the sound files are in packages that the roots do not have.
const CONFBRIDGE_CONF: &str = "[general]\n[default_user]\ntype = user\nquiet = yes\n[default_bridge]\ntype = bridge\n";

fn http_conf(port: u16) -> String {
    format!(
        "[general]\n\
         enabled = yes\n\
         bindaddr = 127.0.0.1\n\
         bindport = {port}\n\
         sessionlimit = 400\n\
         session_keep_alive = 60000\n\
         enable_status = no\n"
    )
}

fn ari_conf() -> String {
    SHIPPED_ARI_CONF.replace("password = change-me", &format!("password = {ARI_PASSWORD}"))
}

fn manager_conf(port: u16) -> String {
    format!(
        "[general]\n\
         enabled = yes\n\
         webenabled = no\n\
         bindaddr = 127.0.0.1\n\
         port = {port}\n\
         displayconnects = no\n\
         [{AMI_USER}]\n\
         secret = {AMI_SECRET}\n\
         read = all\n\
         write = all\n\
         writetimeout = 5000\n"
    )
}

fn pjsip_conf(trunks: &[Trunk], ports: &AsteriskPorts, pem: &str) -> String {
    let mut text = format!(
        "[global]\n\
         type = global\n\
         taskprocessor_overload_trigger = pjsip_only\n\
         [transport-udp]\n\
         type = transport\n\
         protocol = udp\n\
         bind = 127.0.0.1:{}\n\
         [transport-tcp]\n\
         type = transport\n\
         protocol = tcp\n\
         bind = 127.0.0.1:{}\n\
         [transport-tls]\n\
         type = transport\n\
         protocol = tls\n\
         bind = 127.0.0.1:{}\n\
         method = tlsv1_2\n\
         cert_file = {pem}\n\
         priv_key_file = {pem}\n\
         ca_list_file = {pem}\n\
         verify_server = yes\n",
        ports.sip_udp, ports.sip_tcp, ports.sip_tls
    );
    for trunk in trunks {
        let (transport, parameter) = match trunk.technology {
            TrunkTechnology::Pjsip => ("transport-udp", ""),
            TrunkTechnology::PjsipTcp => ("transport-tcp", "\\;transport=tcp"),
            TrunkTechnology::Sip => continue,
        };
        let Trunk {
            name, address, extra, ..
        } = trunk;
        let qualify_seconds = trunk.qualify_every.map_or(0, |every| every.as_secs().max(1));
        text.push_str(&format!(
            "\n[{name}]\n\
             type = endpoint\n\
             context = trunkinbound\n\
             transport = {transport}\n\
             disallow = all\n\
             allow = ulaw\n\
             direct_media = no\n\
             rtp_symmetric = yes\n\
             aors = {name}\n\
             {extra}\n\
             [{name}]\n\
             type = aor\n\
             contact = sip:{address}{parameter}\n\
             qualify_frequency = {qualify_seconds}\n"
        ));
    }
    text
}

fn sip_conf(version: AsteriskVersion, trunks: &[Trunk], ports: &AsteriskPorts, pem: &str) -> Result<String, LabError> {
    let mut text = format!(
        "[general]\n\
         context = trunkinbound\n\
         allowguest = no\n\
         udpbindaddr = 127.0.0.1:{}\n\
         tcpenable = yes\n\
         tcpbindaddr = 127.0.0.1:{}\n\
         tlsenable = yes\n\
         tlsbindaddr = 127.0.0.1:{}\n\
         tlscertfile = {pem}\n\
         tlscafile = {pem}\n\
         srvlookup = no\n",
        ports.chan_sip, ports.chan_sip, ports.chan_sip_tls
    );
    for trunk in trunks.iter().filter(|trunk| trunk.technology == TrunkTechnology::Sip) {
        let Trunk {
            name, address, extra, ..
        } = trunk;
        if !version.has_chan_sip() {
            return Err(LabError::Configuration(format!(
                "Trunk {name} is of chan_sip, which Asterisk 22 does not have: make it PJSIP, or use Asterisk 16."
            )));
        }
        let qualify = trunk.qualify_every.map_or_else(
            || "qualify = no\n".to_owned(),
            |every| format!("qualify = yes\nqualifyfreq = {}\n", every.as_secs().max(1)),
        );
        text.push_str(&format!(
            "\n[{name}]\n\
             type = peer\n\
             context = trunkinbound\n\
             host = {}\n\
             port = {}\n\
             insecure = port,invite\n\
             disallow = all\n\
             allow = ulaw\n\
             directmedia = no\n\
             {qualify}\
             {extra}\n",
            address.ip(),
            address.port()
        ));
    }
    Ok(text)
}
