//! The carriers' entries of the dialplan: by which prefix a call reaches which carrier.

/// The carriers of the table by the dial prefix that reaches each; `BACKUP` stands behind all but the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// PJSIP over UDP, a fake carrier.
    Primary,
    /// An endpoint that does not exist.
    Unknown,
    /// PJSIP over TCP to a closed port.
    Refusing,
    /// A contact that Asterisk's own qualify has found dead.
    Unreachable,
    /// `chan_sip` on Asterisk 16, PJSIP on 22; the same fake carrier as `Primary`.
    OldDriver,
    /// `PJSIP_WIZ`; the same fake carrier as `Primary`.
    Wizard,
    /// The same trunk as `Primary`, without a backup.
    Alone,
    /// The same trunk as `OldDriver`, without a backup.
    AloneOldDriver,
}

impl Entry {
    /// Every carrier.
    pub const ALL: [Self; 8] = [
        Self::Primary,
        Self::Unknown,
        Self::Refusing,
        Self::Unreachable,
        Self::OldDriver,
        Self::Wizard,
        Self::Alone,
        Self::AloneOldDriver,
    ];

    /// Whether `BACKUP` stands behind it.
    pub(super) const fn has_backup(self) -> bool {
        !matches!(self, Self::Alone | Self::AloneOldDriver)
    }

    /// The dial prefix.
    pub(super) const fn prefix(self) -> char {
        match self {
            Self::Primary => '9',
            Self::Unknown => '2',
            Self::Refusing => '3',
            Self::Unreachable => '4',
            Self::OldDriver => '5',
            Self::Wizard => '6',
            Self::Alone => '7',
            Self::AloneOldDriver => '0',
        }
    }

    /// Its id on the *Carriers* screen.
    pub const fn carrier_id(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Unknown => "UNKNOWN",
            Self::Refusing => "REFUSING",
            Self::Unreachable => "UNREACHABLE",
            Self::OldDriver => "OLDDRIVER",
            Self::Wizard => "WIZARD",
            Self::Alone => "ALONE",
            Self::AloneOldDriver => "ALONEOLD",
        }
    }
}
