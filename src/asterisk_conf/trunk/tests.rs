//! What is written is read back as it was meant, for every kind of trunk.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::asterisk_conf::{Account, RegisteredAccount};

fn trunk(style: AccountStyle, authorisation: Authorisation) -> Trunk {
    Trunk {
        name: "BACKUP".into(),
        style,
        host: "SIP.example:5070".parse().expect("a host"),
        transport: Transport::Udp,
        transport_section: None,
        authorisation,
        codecs: vec!["ulaw".into(), "alaw".into()],
        context: "inert".into(),
    }
}

fn login() -> Login {
    Login {
        user: "acct".into(),
        password: "se=cr>et".into(),
    }
}

const STYLES: [AccountStyle; 4] = [
    AccountStyle::Pjsip,
    AccountStyle::PjsipWizard,
    AccountStyle::Sip,
    AccountStyle::Iax2,
];

#[test]
fn pjsip_that_registers() {
    let trunk = trunk(AccountStyle::Pjsip, Authorisation::Registration(login()));
    assert_eq!(trunk.check(), Ok(()));
    assert_eq!(trunk.registration(), None);
    assert_eq!(
        trunk.account().to_string(),
        "[BACKUP]\ntype = aor\ncontact = sip:sip.example:5070\nqualify_frequency = 15\n\
         [BACKUP]\ntype = endpoint\ncontext = inert\ndisallow = all\nallow = ulaw\nallow = alaw\ndirect_media = no\n\
         rtp_symmetric = yes\nrewrite_contact = no\nsend_pai = yes\naors = BACKUP\noutbound_auth = BACKUP\n\
         [BACKUP]\ntype = auth\nauth_type = userpass\nusername = acct\npassword = se=cr>et\n\
         [BACKUP]\ntype = identify\nendpoint = BACKUP\nmatch = sip.example\n\
         [BACKUP]\ntype = registration\nserver_uri = sip:sip.example:5070\nclient_uri = sip:acct@sip.example:5070\n\
         outbound_auth = BACKUP\ncontact_user = acct\nexpiration = 300\nretry_interval = 20\n\
         forbidden_retry_interval = 60\nfatal_retry_interval = 60\nmax_retries = 10000\n"
    );
}

/// Asterisk's endpoints, registrations and wizards name a transport; a URI parameter would not outlive the Carriers screen.
#[test]
fn pjsip_over_tcp_names_a_transport() {
    for (style, settings) in [
        (
            AccountStyle::Pjsip,
            ["transport = transport-tcp\n", "transport = transport-tcp\n"],
        ),
        (
            AccountStyle::PjsipWizard,
            [
                "endpoint/transport = transport-tcp\n",
                "registration/transport = transport-tcp\n",
            ],
        ),
    ] {
        let mut trunk = trunk(style, Authorisation::Registration(login()));
        trunk.transport = Transport::Tcp;
        assert_eq!(trunk.check(), Ok(()));
        let text = trunk.account().to_string();
        assert!(settings.iter().all(|setting| text.contains(setting)), "{text}");
        assert_eq!(text.matches("transport = ").count(), 2, "{text}");
        trunk.transport_section = Some("tcp-in-the-office".into());
        assert!(trunk.account().to_string().contains("transport = tcp-in-the-office\n"));
    }
}

#[test]
fn chan_sip_by_address_and_by_registration() {
    let by_address = trunk(AccountStyle::Sip, Authorisation::Address);
    assert_eq!(
        by_address.account().to_string(),
        "[BACKUP]\ntype = peer\nhost = sip.example\nport = 5070\ntransport = udp\ninsecure = port,invite\ncontext = inert\n\
         disallow = all\nallow = ulaw\nallow = alaw\ndirectmedia = no\ndtmfmode = rfc2833\nsendrpid = pai\ntrustrpid = no\n\
         qualify = yes\nqualifyfreq = 15\n"
    );
    let mut registers = trunk(AccountStyle::Sip, Authorisation::Registration(login()));
    registers.transport = Transport::Tcp;
    assert_eq!(registers.check(), Ok(()));
    let line = registers.registration().expect("a line");
    assert_eq!(line, "register => tcp://acct:se=cr>et@sip.example:5070");
}

/// Who registers where is what `check` and health go by.
#[test]
fn registrations_are_found_in_what_is_written() {
    let expected = RegisteredAccount::new("acct", "sip.example");
    for style in STYLES {
        let trunk = trunk(style, Authorisation::Registration(login()));
        let of_line = RegisteredAccount::of_register_lines(&trunk.registration().unwrap_or_default());
        let of_sections = RegisteredAccount::of_sections(&trunk.account());
        let found: Vec<_> = of_line.into_iter().chain(of_sections).collect();
        assert_eq!(found, expected.clone().into_iter().collect::<Vec<_>>(), "{style:?}");
    }
}

#[test]
fn a_dynamic_host_has_no_address() {
    for style in STYLES {
        let mut trunk = trunk(style, Authorisation::Login(login()));
        trunk.host = TrunkHost::Dynamic;
        let error = trunk.check().expect_err("registers under another name");
        assert_eq!(error.code(), "trunk_dynamic_user", "{style:?}");
        assert!(error.to_string().contains("the user must be BACKUP"), "{error}");
        trunk.authorisation = Authorisation::Login(Login {
            user: trunk.name.clone(),
            ..login()
        });
        assert_eq!(trunk.check(), Ok(()), "{style:?}");
        assert!(trunk.needs()[0].contains("must register here as BACKUP"), "{style:?}");
        let hosts = trunk.account().hosts().join(" ");
        assert!(["", "dynamic"].contains(&hosts.as_str()), "{style:?}: {hosts}");
        trunk.authorisation = Authorisation::Address;
        assert_eq!(trunk.check(), Err(TrunkError::Dynamic));
    }
}

/// What stands outside of the block, and is missing on most servers, is named.
#[test]
fn transports_need_more_than_the_block() {
    let needs = |style, transport| {
        let mut trunk = trunk(style, Authorisation::Address);
        trunk.transport = transport;
        trunk.needs().join("\n")
    };
    for style in STYLES {
        assert_eq!(needs(style, Transport::Udp), "", "{style:?}");
    }
    for style in [AccountStyle::Pjsip, AccountStyle::PjsipWizard] {
        assert!(needs(style, Transport::Tcp).starts_with("pjsip.conf needs the transport [transport-tcp]: "));
        let tls = needs(style, Transport::Tls);
        assert!(tls.contains("[transport-tls]") && tls.contains("cert_file"), "{tls}");
    }
    assert!(needs(AccountStyle::Sip, Transport::Tcp).contains("tcpenable = yes"));
    assert!(needs(AccountStyle::Sip, Transport::Tls).contains("tlsenable = yes"));
}

#[test]
fn what_cannot_be_written_is_named() {
    let with = |change: &dyn Fn(&mut Trunk)| {
        let mut trunk = trunk(AccountStyle::Pjsip, Authorisation::Address);
        change(&mut trunk);
        trunk.check().expect_err("cannot be written")
    };
    let password = |style: AccountStyle, password: &str| {
        let login = Login {
            password: password.into(),
            ..login()
        };
        trunk(style, Authorisation::Registration(login))
            .check()
            .map_err(|error| error.code())
    };
    assert_eq!(with(&|it| it.name = "a]b".into()).code(), "trunk_name");
    assert_eq!(with(&|it| it.context = "a;b".into()).code(), "trunk_name");
    assert_eq!(with(&|it| it.codecs = vec!["pcmu".into()]).code(), "trunk_codec");
    assert_eq!(with(&|it| it.codecs.clear()).code(), "trunk_no_codec");
    assert_eq!(
        with(&|it| it.transport_section = Some("a b".into())).code(),
        "trunk_name"
    );
    let over_tcp = with(&|it| (it.style, it.transport) = (AccountStyle::Iax2, Transport::Tcp));
    assert_eq!(over_tcp, TrunkError::Transport(Transport::Tcp));
    for style in STYLES {
        assert_eq!(password(style, "a;b"), Err("trunk_password"), "{style:?}");
        assert_eq!(password(style, "a\nb"), Err("trunk_password"), "{style:?}");
        assert_eq!(password(style, " ab"), Err("trunk_password"), "{style:?}");
        assert_eq!(password(style, ""), Err("trunk_empty_login"), "{style:?}");
    }
    assert_eq!(password(AccountStyle::Sip, "a:b"), Err("trunk_password"));
    assert_eq!(password(AccountStyle::Sip, "a@b"), Ok(()));
    assert_eq!(password(AccountStyle::Iax2, "a@b"), Err("trunk_password"));
    assert_eq!(password(AccountStyle::Pjsip, "a:b@c"), Ok(()));
    let told = trunk(
        AccountStyle::Sip,
        Authorisation::Registration(Login {
            password: "top;secret".into(),
            ..login()
        }),
    );
    let error = told.check().expect_err("cannot be written");
    assert!(!format!("{told:?} {error:?} {error}").contains("secret"));
}

#[test]
fn hosts_are_names_or_addresses() {
    for (text, shown) in [
        ("SIP.Example.com", "sip.example.com"),
        ("192.0.2.1:5061", "192.0.2.1:5061"),
        ("Dynamic", "dynamic"),
    ] {
        assert_eq!(text.parse::<TrunkHost>().map(|host| host.to_string()), Ok(shown.into()));
    }
    for text in [
        "",
        "a b",
        "192.0.2",
        "192.0.2.1.1",
        "a:0",
        "a:b",
        "-a",
        "a..b",
        "a;b",
        "sip:a",
        "[::1]",
    ] {
        assert_eq!(text.parse::<TrunkHost>(), Err(NotAHost(text.into())));
    }
}

fn any_trunk() -> impl Strategy<Value = Trunk> {
    let style = prop::sample::select(STYLES.to_vec());
    let login = ("[a-z0-9+._-]{1,12}", "[ -~]{0,4}[!-~]{1,16}").prop_map(|(user, password)| Login { user, password });
    let authorisation = (0..3, login).prop_map(|(kind, login)| match kind {
        0 => Authorisation::Address,
        1 => Authorisation::Login(login),
        _ => Authorisation::Registration(login),
    });
    let host = prop_oneof![
        Just(TrunkHost::Dynamic),
        ("[a-z][a-z0-9]{0,8}(\\.[a-z]{2,5}){1,2}", prop::option::of(1..u16::MAX))
            .prop_map(|(host, port)| TrunkHost::At { host, port }),
    ];
    let transport = prop::sample::select(vec![Transport::Udp, Transport::Tcp, Transport::Tls]);
    let codecs = prop::sample::subsequence(CODECS.to_vec(), 1..4);
    ("[A-Za-z0-9_-]{2,15}", style, host, transport, authorisation, codecs).prop_map(
        |(name, style, host, transport, mut authorisation, codecs)| {
            if let (TrunkHost::Dynamic, Authorisation::Login(login)) = (&host, &mut authorisation) {
                login.user.clone_from(&name);
            }
            Trunk {
                name,
                style,
                host,
                transport,
                transport_section: None,
                authorisation,
                codecs: codecs.into_iter().map(str::to_owned).collect(),
                context: "inert".into(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    /// Written, read and written again it is the same, and nothing of it is lost to a screen that takes semicolons out.
    #[test]
    fn what_may_be_written_is_stable(trunk in any_trunk()) {
        prop_assume!(trunk.check().is_ok());
        let account = trunk.account();
        let text = account.to_string();
        prop_assert_eq!(&Account::parse(&text), &account);
        prop_assert_eq!(Account::parse(&text).to_string(), text.clone());
        prop_assert!(!text.contains(';') && !text.contains('\r'));
        let codecs: Vec<_> = account.sections.iter().flat_map(|section| &section.settings)
            .filter(|setting| setting.key.ends_with("allow") && !setting.key.ends_with("disallow"))
            .map(|setting| setting.value.clone())
            .collect();
        prop_assert_eq!(codecs, trunk.codecs.clone());
        if let Authorisation::Login(login) | Authorisation::Registration(login) = &trunk.authorisation {
            let values: Vec<_> = account.sections.iter().flat_map(|section| &section.settings)
                .map(|setting| setting.value.as_str()).collect();
            prop_assert!(values.contains(&login.password.as_str()));
        }
    }
}
