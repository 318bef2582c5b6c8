//! All of it together: what is to be changed, shown before it is done, then carried out.

use std::collections::BTreeSet;

use super::custom::CustomChange;
use super::diff;
use super::door;
use super::entries::{self, Edits, EntryChange};
use super::error::InstallError;
use super::files::{self, Contexts, FilePlan, Places};
use crate::carrier::CarrierId;
use crate::config::{Engine, Settings};
use crate::snapshot::Snapshot;
use crate::store::{ChangedBy, OriginalKind, OriginalRow, RoutingTables, Store, StoreError};
use crate::vicidial::admin;
use crate::vicidial::carriers::{CarrierRow, EVERY_SERVER, options_for_dial_alone};

/// What somebody wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The carriers; empty: those that have backups or are installed.
    pub carriers: Vec<String>,
    /// What to do with entries that were edited since they were installed.
    pub edits: Edits,
    /// Whether Asterisk's files are changed too.
    pub files: FilesOrNot,
    /// How our contexts get into Asterisk; `None`: as they are there already, else by VICIdial's custom dialplan where its
    /// administrators use that, else by a file.
    pub contexts: Option<Contexts>,
}

/// Whether Asterisk's files are changed.
#[derive(Clone, Debug)]
pub enum FilesOrNot {
    /// They are, here.
    At(Places),
    /// They are left alone: this is not the dialer, or somebody else looks after them.
    LeftAlone,
}

/// What is to be changed.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Carriers' dialplan entries.
    pub entries: Vec<EntryChange>,
    /// This server's custom dialplan entry.
    pub custom: Option<CustomChange>,
    /// Asterisk's files.
    pub files: FilePlan,
    /// Carriers whose calls shall go to the `agi` engine, because only Asterisk's own `Dial()` honours their options.
    pub for_dial: Vec<(CarrierId, Vec<String>)>,
    /// Originals of carriers that are gone; there is nothing to put back.
    pub gone: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// The dialers that a carrier of all servers reaches; empty where no such carrier is changed.
    pub servers: Vec<ServerSeen>,
}

/// A dialer, and whether a daemon was ever seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// Its `server_ip`.
    pub server_ip: String,
    /// When its daemon wrote something down last, milliseconds since 1970; `None`: never, so calls are dialled natively there.
    pub daemon_seen_ms: Option<i64>,
}

/// What was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Carriers whose rows were written.
    pub carriers: Vec<String>,
    /// The server whose custom dialplan entry was written.
    pub custom_dialplan: Option<String>,
    /// Files that were written or removed.
    pub files: Vec<String>,
}

impl Done {
    /// Whether rows were written, which VICIdial has to bring to Asterisk.
    pub fn has_rows(&self) -> bool {
        !self.carriers.is_empty() || self.custom_dialplan.is_some()
    }
}

impl Plan {
    /// What installing would change.
    ///
    /// # Errors
    /// [`InstallError`]: a carrier is missing or an entry is refused, a file is not as it must be, or the database fails.
    pub async fn install(store: &Store, settings: &Settings, wish: &Wish) -> Result<Self, InstallError> {
        let tables = store.routing_tables().await?;
        let kept = store.originals(OriginalKind::Carrier).await?;
        let rows = chosen(&tables, &kept, settings, wish)?;
        let mut plan = Self::default();
        let mut refused = Vec::new();
        for row in rows {
            match entries::install(row, find(&kept, &row.carrier_id), wish.edits) {
                Ok(Some(change)) => plan.entries.push(change),
                Ok(None) => {}
                Err(error) => refused.push(error),
            }
        }
        if !refused.is_empty() {
            return Err(InstallError::Refused(refused));
        }
        plan.choose_engines(&tables, settings);
        plan.look_at_servers(store, &tables).await?;
        let door = door::choose(store, settings, wish).await?;
        plan.custom = door.change()?;
        if let FilesOrNot::At(places) = &wish.files {
            plan.files = files::install(places, settings, door.contexts())?;
        }
        Ok(plan)
    }

    /// What uninstalling would change.
    ///
    /// # Errors
    /// [`InstallError`] as for installing.
    pub async fn uninstall(store: &Store, settings: &Settings, wish: &Wish) -> Result<Self, InstallError> {
        let tables = store.routing_tables().await?;
        let kept = store.originals(OriginalKind::Carrier).await?;
        let mut plan = Self::default();
        let mut refused = Vec::new();
        for kept in &kept {
            if !wish.carriers.is_empty() && !wish.carriers.contains(&kept.name) {
                continue;
            }
            match tables.carriers.iter().find(|row| row.carrier_id == kept.name) {
                None => plan.gone.push(kept.name.clone()),
                Some(row) if !reaches(row, settings) => plan.notes.push(format!(
                    "carrier {} belongs to server {}: uninstall it there",
                    row.carrier_id, row.server_ip
                )),
                Some(row) => match entries::uninstall(row, kept, wish.edits) {
                    Ok(change) => {
                        plan.note_engine(&change, &tables);
                        plan.entries.push(change);
                    }
                    Err(error) => refused.push(error),
                },
            }
        }
        let unknown = wish.carriers.iter().filter(|id| find(&kept, id).is_none());
        plan.notes
            .extend(unknown.map(|id| format!("carrier {id}: nothing is installed")));
        if !refused.is_empty() {
            return Err(InstallError::Refused(refused));
        }
        plan.look_at_servers(store, &tables).await?;
        // Carriers that stay installed need our contexts.
        if wish.carriers.is_empty() {
            plan.custom = door::close(store, settings).await?;
            if let FilesOrNot::At(places) = &wish.files {
                plan.files = files::uninstall(places)?;
            }
        }
        Ok(plan)
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.custom.is_none() && self.files.changes.is_empty() && self.gone.is_empty()
    }

    /// All changes as a unified diff. No secret that a file gets is shown.
    pub fn diff(&self, settings: &Settings) -> String {
        let entries = self.entries.iter().map(|change| {
            let name = format!("carrier {}, dialplan_entry", change.carrier_id);
            diff::unified(&name, &change.before, &change.after)
        });
        let custom = self.custom.iter().map(|change| {
            let name = format!("server {}, custom_dialplan_entry", change.server_ip);
            diff::unified(&name, &change.before, &change.after)
        });
        let files = self.files.changes.iter().map(|change| {
            let name = change.path.display().to_string();
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            diff::unified(&name, &text(&change.before), &text(&change.after))
        });
        without_secrets(&entries.chain(custom).chain(files).collect::<String>(), settings)
    }

    /// Carries the plan out: files and our contexts first, so that a dialer has them before a call is sent there.
    ///
    /// # Errors
    /// [`InstallError`] of the first change that failed; those before it are made, and the same plan made anew has the rest.
    pub async fn apply(&self, store: &Store, wish: &Wish, by: &ChangedBy, at_ms: i64) -> Result<Done, InstallError> {
        let mut done = Done::default();
        if let FilesOrNot::At(places) = &wish.files {
            for change in &self.files.changes {
                files::apply(places, change)?;
                done.files.push(change.path.display().to_string());
            }
        }
        if let Some(change) = &self.custom {
            apply_custom(store, change, by, at_ms).await?;
            done.custom_dialplan = (change.before != change.after).then(|| change.server_ip.clone());
        }
        for change in &self.entries {
            apply_entry(store, change, by, at_ms).await?;
            if change.before != change.after {
                done.carriers.push(change.carrier_id.clone());
            }
        }
        for carrier_id in &self.gone {
            store.forget_original(OriginalKind::Carrier, carrier_id.clone()).await?;
        }
        Ok(done)
    }

    /// Options that the stasis engine does not honour send the calls of their entry to the other one, unless an operator has said
    /// which engine it shall be.
    fn choose_engines(&mut self, tables: &RoutingTables, settings: &Settings) {
        let kinds = settings.engine;
        let all_by_dial = [kinds.default, kinds.manual, kinds.three_way]
            .into_iter()
            .all(|engine| engine == Engine::Agi);
        for change in self.entries.iter().filter(|change| !change.options_for_dial.is_empty()) {
            let mut set = tables.carrier_settings.iter();
            let set = set.find(|set| set.carrier_id == change.carrier_id);
            let options = change.options_for_dial.join(" ");
            match set.and_then(|set| set.engine.as_deref()) {
                Some(engine) if engine == Engine::Agi.as_str() => {}
                Some(engine) => self.notes.push(format!(
                    "carrier {}: the Dial options {options} are not honoured by engine={engine}, which an operator has set",
                    change.carrier_id
                )),
                None if all_by_dial => {}
                None => {
                    let id = CarrierId::from(change.carrier_id.as_str());
                    self.for_dial.push((id, change.options_for_dial.clone()));
                }
            }
        }
    }

    /// An engine that installing may have set stays: an operator may have wanted it.
    fn note_engine(&mut self, change: &EntryChange, tables: &RoutingTables) {
        let mut set = tables.carrier_settings.iter();
        let set = set.find(|set| set.carrier_id == change.carrier_id);
        let is_agi = set.is_some_and(|set| set.engine.as_deref() == Some(Engine::Agi.as_str()));
        if is_agi && !options_for_dial_alone(&change.after).is_empty() {
            let id = &change.carrier_id;
            self.notes.push(format!(
                "carrier {id}: engine=agi stays set; `crankback carrier set {id} engine=` takes it back"
            ));
        }
    }

    async fn look_at_servers(&mut self, store: &Store, tables: &RoutingTables) -> Result<(), StoreError> {
        if !self
            .entries
            .iter()
            .any(|change| change.server_ip.trim() == EVERY_SERVER)
        {
            return Ok(());
        }
        let seen = store.daemons_seen().await?;
        let active = tables.servers.iter().filter(|server| server.is_active);
        self.servers = active
            .map(|server| ServerSeen {
                server_ip: server.server_ip.clone(),
                daemon_seen_ms: seen
                    .iter()
                    .find(|(ip, _)| *ip == server.server_ip)
                    .map(|(_, at_ms)| *at_ms),
            })
            .collect();
        Ok(())
    }
}

/// What is kept is written before the row is, and forgotten after it was put back.
async fn apply_entry(store: &Store, change: &EntryChange, by: &ChangedBy, at_ms: i64) -> Result<(), InstallError> {
    let (kind, carrier_id) = (OriginalKind::Carrier, &change.carrier_id);
    let (before, after) = (&change.before, &change.after);
    keep(store, kind, carrier_id, &change.original, after, by, at_ms).await?;
    if before != after {
        let server_ip = &change.server_ip;
        admin::update_dialplan_entry(store, carrier_id, server_ip, before, after, by.clone()).await?;
    }
    forget(store, kind, carrier_id, &change.original).await
}

/// As a carrier's entry.
async fn apply_custom(store: &Store, change: &CustomChange, by: &ChangedBy, at_ms: i64) -> Result<(), InstallError> {
    let (kind, server_ip) = (OriginalKind::Server, &change.server_ip);
    let (before, after) = (&change.before, &change.after);
    keep(store, kind, server_ip, &change.original, after, by, at_ms).await?;
    if before != after {
        admin::update_custom_dialplan(store, server_ip, before, after, by.clone()).await?;
    }
    forget(store, kind, server_ip, &change.original).await
}

async fn keep(
    store: &Store,
    kind: OriginalKind,
    name: &str,
    original: &Option<String>,
    installed: &str,
    by: &ChangedBy,
    at_ms: i64,
) -> Result<(), InstallError> {
    if let Some(original) = original {
        let row = OriginalRow {
            kind,
            name: name.to_owned(),
            original: original.clone(),
            installed: installed.to_owned(),
            at_ms,
            actor: by.user.clone(),
        };
        store.keep_original(row).await?;
    }
    Ok(())
}

async fn forget(store: &Store, kind: OriginalKind, name: &str, original: &Option<String>) -> Result<(), InstallError> {
    if original.is_none() {
        store.forget_original(kind, name.to_owned()).await?;
    }
    Ok(())
}

/// The rows that are wished for.
fn chosen<'a>(
    tables: &'a RoutingTables,
    kept: &[OriginalRow],
    settings: &Settings,
    wish: &Wish,
) -> Result<Vec<&'a CarrierRow>, InstallError> {
    let named: BTreeSet<String> = if wish.carriers.is_empty() {
        let snapshot = Snapshot::new(tables.clone(), settings);
        let enabled = snapshot.routes().iter().filter(|route| route.enabled);
        let with_backups = enabled
            .flat_map(|route| snapshot.entries_of(route))
            .map(|id| id.to_string());
        let installed = kept.iter().map(|kept| kept.name.clone());
        let of_this_server = |id: &String| {
            let mut rows = tables.carriers.iter();
            rows.any(|row| row.carrier_id == *id && reaches(row, settings) && !row.dialplan_entry.trim().is_empty())
        };
        with_backups.chain(installed).filter(of_this_server).collect()
    } else {
        wish.carriers.iter().cloned().collect()
    };
    if named.is_empty() {
        return Err(InstallError::NoChoice);
    }
    let row = |id: &String| {
        let row = tables.carriers.iter().find(|row| row.carrier_id == *id);
        row.filter(|row| reaches(row, settings))
            .ok_or_else(|| InstallError::NoCarrier {
                id: id.clone(),
                server_ip: settings.server.ip.to_string(),
                of_server: row.map(|row| row.server_ip.clone()),
            })
    };
    named.iter().map(row).collect()
}

/// Whether this dialer uses the row, or would if it were active.
pub(super) fn reaches(row: &CarrierRow, settings: &Settings) -> bool {
    let server_ip = row.server_ip.trim();
    server_ip == EVERY_SERVER || server_ip == settings.server.ip.to_string()
}

fn find<'a>(kept: &'a [OriginalRow], carrier_id: &str) -> Option<&'a OriginalRow> {
    kept.iter().find(|kept| kept.name == carrier_id)
}

/// Passwords that a file gets are ours, and need not stand on a screen.
fn without_secrets(text: &str, settings: &Settings) -> String {
    use secrecy::ExposeSecret;

    let ari = settings.ari.credentials.password();
    let ami = settings.ami.login.as_ref().map(|login| &login.secret);
    let mut shown = text.to_owned();
    for secret in [Some(ari), ami].into_iter().flatten() {
        for key in ["password", "secret"] {
            shown = shown.replace(
                &format!("+{key} = {}\n", secret.expose_secret()),
                &format!("+{key} = (not shown)\n"),
            );
            shown = shown.replace(
                &format!("-{key} = {}\n", secret.expose_secret()),
                &format!("-{key} = (not shown)\n"),
            );
        }
    }
    shown
}
