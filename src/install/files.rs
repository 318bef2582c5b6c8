//! The files of an Asterisk: what they become, what is kept of them, and what they become again.
//!
//! Our dialplan is a file of its own. Into the others only what they lack is put, in marked blocks. What stood there before is
//! copied to a directory of ours, with the path that it has; beside it lies what was installed.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::blocks::without_blocks;
use super::wanted;
use crate::asterisk_conf::{Account, BlockError, LeftSetting, at_end, merge, unmerge};
use crate::config::Settings;
use crate::shipped;

/// Our dialplan's own file.
const OWN: &str = "extensions-crankback.conf";
/// The dialplan that Asterisk reads.
const DIALPLAN: &str = "extensions.conf";
/// What VICIdial writes of its tables.
pub(super) const VICIDIAL_DIALPLAN: &str = "extensions-vicidial.conf";
/// Beside a kept original: the file did not exist; and: the text that was installed.
const ABSENT: &str = "absent";
const INSTALLED: &str = "installed";
/// A new file may hold a password.
const NEW_FILE_MODE: u32 = 0o640;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// Asterisk's configuration.
    pub asterisk: PathBuf,
    /// Where originals are kept.
    pub originals: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            asterisk: PathBuf::from("/etc/asterisk"),
            originals: PathBuf::from("/var/lib/crankback/originals"),
        }
    }
}

/// How an Asterisk gets our contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contexts {
    /// By VICIdial: they stand in the custom dialplan entry of the server.
    Custom,
    /// By a file of ours that `extensions.conf` includes.
    File,
}

/// What is to be done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub path: PathBuf,
    /// Its text; `None`: it does not exist.
    pub before: Option<String>,
    /// What it becomes; `None`: it goes.
    pub after: Option<String>,
    /// The original to keep: `Some(None)` for a file that did not exist; `None`: what was kept is to be forgotten.
    pub(super) original: Option<Option<String>>,
}

/// What is to be done with all files, and what was found in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePlan {
    /// The changes.
    pub changes: Vec<FileChange>,
    /// What is left as it is though it is not enough.
    pub left: Vec<String>,
    /// What is as it should be by other means.
    pub notes: Vec<String>,
}

/// Why files cannot be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No dialplan is where Asterisk's configuration should be.
    #[error("{path} does not exist: name the directory of Asterisk's configuration with --asterisk-dir, or leave files alone with --no-files", path = path.display())]
    NoDialplan {
        /// The file.
        path: PathBuf,
    },
    /// Somebody edited our dialplan.
    #[error("{path} has been edited: crankback would replace it; move the edits elsewhere and remove the file", path = path.display())]
    OwnFileEdited {
        /// The file.
        path: PathBuf,
    },
    /// Somebody edited a block of ours.
    #[error("{path}, {error}; take the block out by hand, or put it back as it is in {installed}", path = path.display(), installed = installed.display())]
    Block {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: BlockError,
        /// What was installed.
        installed: PathBuf,
    },
}

impl FileError {
    /// A stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "conf_io",
            Self::NoDialplan { .. } => "conf_no_dialplan",
            Self::OwnFileEdited { .. } => "conf_own_file_edited",
            Self::Block { .. } => "conf_block_edited",
        }
    }
}

/// Whether a file brings our contexts already: our own, or another one that is included.
pub(super) fn bring_contexts(places: &Places) -> Result<bool, FileError> {
    let text = read(&places.asterisk.join(DIALPLAN))?.unwrap_or_default();
    Ok(!matches!(includes(places, &text)?, Included::No))
}

/// What installing does to the files, which have to bring our contexts too unless VICIdial's custom dialplan does.
pub(super) fn install(places: &Places, settings: &Settings, contexts: Contexts) -> Result<FilePlan, FileError> {
    let file = |name: &str| File::read(places, name);
    let dialplan = file(DIALPLAN)?;
    let Some(text) = &dialplan.text else {
        return Err(FileError::NoDialplan { path: dialplan.path });
    };
    let mut plan = FilePlan::default();
    let mut with_include = text.clone();
    match contexts {
        Contexts::Custom => {}
        Contexts::File => match includes(places, text)? {
            Included::No => {
                plan.own_file(file(OWN)?)?;
                with_include = at_end(text, &format!("#include {OWN}\n"));
            }
            Included::OwnFile => plan.own_file(file(OWN)?)?,
            Included::Elsewhere(name) => plan
                .notes
                .push(format!("[crankback] stands in {name} already: {OWN} is not installed")),
        },
    }
    let vicidial = file(VICIDIAL_DIALPLAN)?.text.unwrap_or_default();
    let globals = merge(&with_include, &wanted::globals(&format!("{text}{vicidial}")));
    plan.merged(dialplan, globals.text, globals.left)?;
    let others = [
        ("http.conf", wanted::http(&settings.ari)),
        ("ari.conf", wanted::ari(&settings.ari)),
        ("manager.conf", wanted::manager(&settings.ami)),
    ];
    for (name, wanted) in others {
        let file = file(name)?;
        let merged = merge(file.text.as_deref().unwrap_or_default(), &wanted);
        plan.merged(file, merged.text, merged.left)?;
    }
    Ok(plan)
}

/// What uninstalling does to the files.
pub(super) fn uninstall(places: &Places) -> Result<FilePlan, FileError> {
    let mut plan = FilePlan::default();
    // The include goes before what it includes: Asterisk does not load a dialplan that includes a missing file.
    for name in [DIALPLAN, OWN, "http.conf", "ari.conf", "manager.conf"] {
        let file = File::read(places, name)?;
        let Some(kept) = &file.kept else {
            continue;
        };
        let after = match (&file.text, kept) {
            (None, _) => None,
            (Some(text), _) if name == OWN => {
                if !shipped::is_unedited(text) {
                    return Err(FileError::OwnFileEdited { path: file.path });
                }
                kept.original.clone()
            }
            (Some(text), kept) => {
                let without = file.without_blocks(text)?;
                // Whoever put something into a file of ours keeps it.
                Some(without).filter(|without| !without.is_empty() || kept.original.is_some())
            }
        };
        plan.changes.push(FileChange {
            path: file.path,
            before: file.text,
            after,
            original: None,
        });
    }
    Ok(plan)
}

impl FilePlan {
    fn own_file(&mut self, file: File) -> Result<(), FileError> {
        match &file.text {
            Some(text) if text == shipped::DIALPLAN => Ok(()),
            Some(text) if !shipped::is_unedited(text) => Err(FileError::OwnFileEdited { path: file.path }),
            Some(_) | None => {
                let first = file.kept.map_or_else(|| file.text.clone(), |kept| kept.original);
                self.changes.push(FileChange {
                    path: file.path,
                    before: file.text,
                    after: Some(shipped::DIALPLAN.to_owned()),
                    original: Some(first),
                });
                Ok(())
            }
        }
    }

    fn merged(&mut self, file: File, after: String, left: Vec<LeftSetting>) -> Result<(), FileError> {
        let name = file.path.display().to_string();
        self.left.extend(left.into_iter().map(|left| format!("{name}, {left}")));
        if file.text.as_deref().unwrap_or_default() == after {
            return Ok(());
        }
        let original = match &file.text {
            Some(text) => Some(file.without_blocks(text)?),
            None => None,
        };
        let was_absent = file.kept.as_ref().is_some_and(|kept| kept.original.is_none());
        self.changes.push(FileChange {
            path: file.path,
            before: file.text,
            after: Some(after),
            original: Some(original.filter(|text| !(was_absent && text.is_empty()))),
        });
        Ok(())
    }
}

/// How the dialplan has our contexts.
enum Included {
    No,
    OwnFile,
    /// In a file of this name.
    Elsewhere(String),
}

fn includes(places: &Places, dialplan: &str) -> Result<Included, FileError> {
    let has_contexts = |text: &str| {
        Account::parse(text)
            .sections
            .iter()
            .any(|section| section.name == shipped::CONTEXT)
    };
    if has_contexts(dialplan) {
        return Ok(Included::Elsewhere(DIALPLAN.to_owned()));
    }
    let included = dialplan.lines().filter_map(|line| {
        let name = line.trim().strip_prefix("#include")?;
        let name = name.split(';').next()?.trim();
        Some(name.trim_matches(['"', '<', '>', ' ', '\t']).to_owned())
    });
    for name in included {
        if Path::new(&name).file_name().is_some_and(|name| name == OWN) {
            return Ok(Included::OwnFile);
        }
        // A name may hold wildcards, and what it means may be missing: only a plain file is looked into.
        let path = places.asterisk.join(&name);
        let text = if path.is_file() {
            read(&path)?.unwrap_or_default()
        } else {
            String::new()
        };
        // A block of ours there is from VICIdial's custom dialplan, and goes when VICIdial writes the file without it.
        if has_contexts(&unmerge(&text).unwrap_or(text)) {
            return Ok(Included::Elsewhere(name));
        }
    }
    Ok(Included::No)
}

/// A file as it is, and what is kept of it.
struct File {
    path: PathBuf,
    text: Option<String>,
    kept: Option<Kept>,
    installed: PathBuf,
}

/// What was kept of a file.
struct Kept {
    /// `None`: the file did not exist.
    original: Option<String>,
    installed: Option<String>,
}

impl File {
    fn read(places: &Places, name: &str) -> Result<Self, FileError> {
        let path = places.asterisk.join(name);
        let copies = Copies::of(places, &path);
        let original = read(&copies.original)?;
        let was_absent = copies.absent.exists();
        let kept = (was_absent || original.is_some()).then_some(Kept {
            original,
            installed: read(&copies.installed)?,
        });
        Ok(Self {
            text: read(&path)?,
            path,
            kept,
            installed: copies.installed,
        })
    }

    /// The text without our blocks, which must be as they were written.
    fn without_blocks(&self, text: &str) -> Result<String, FileError> {
        let fail = |error| FileError::Block {
            path: self.path.clone(),
            error,
            installed: self.installed.clone(),
        };
        let written = self.kept.as_ref().and_then(|kept| kept.installed.as_deref());
        without_blocks(text, written).map_err(fail)
    }
}

/// Where the copies of a file lie.
struct Copies {
    original: PathBuf,
    absent: PathBuf,
    installed: PathBuf,
}

impl Copies {
    fn of(places: &Places, path: &Path) -> Self {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let original = places.originals.join(inside);
        let beside = |word: &str| {
            let mut name = original.clone().into_os_string();
            name.push(format!(".{word}"));
            PathBuf::from(name)
        };
        Self {
            absent: beside(ABSENT),
            installed: beside(INSTALLED),
            original,
        }
    }
}

/// Makes a change: first what is to be kept, then the file, last what is to be forgotten.
pub(super) fn apply(places: &Places, change: &FileChange) -> Result<(), FileError> {
    let copies = Copies::of(places, &change.path);
    if let Some(original) = &change.original {
        if let Some(directory) = copies.original.parent() {
            fs::create_dir_all(directory).map_err(|source| io_error(directory, source))?;
        }
        match original {
            Some(text) => write(&copies.original, text, &change.path)?,
            None => write(&copies.absent, "", &change.path)?,
        }
        if let Some(after) = &change.after {
            write(&copies.installed, after, &change.path)?;
        }
    }
    match &change.after {
        Some(after) if change.before.as_ref() != Some(after) => write(&change.path, after, &change.path)?,
        Some(_) => {}
        None => remove(&change.path)?,
    }
    if change.original.is_none() {
        for copy in [&copies.original, &copies.absent, &copies.installed] {
            remove(copy)?;
        }
    }
    Ok(())
}

/// The text of a file; `None` where it does not exist. Bytes that are no text are a reason to leave it alone.
pub(super) fn read(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, source)),
    }
}

/// Replaces a file as a whole, with owner and rights of `like` where that exists, else with the owner of the dialplan beside it.
fn write(path: &Path, text: &str, like: &Path) -> Result<(), FileError> {
    use std::io::Write;

    // A link stays a link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut new = path.clone().into_os_string();
    new.push(".crankback-new");
    let new = PathBuf::from(new);
    let written = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(NEW_FILE_MODE)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let (owner, mode) = match fs::metadata(like) {
            Ok(like) => (like.clone(), like.permissions().mode()),
            // Whoever may read the dialplan may read the rest: Asterisk.
            Err(_) => (fs::metadata(like.with_file_name(DIALPLAN))?, NEW_FILE_MODE),
        };
        file.set_permissions(fs::Permissions::from_mode(mode & 0o777))?;
        let of_new = file.metadata()?;
        if (of_new.uid(), of_new.gid()) != (owner.uid(), owner.gid()) {
            chown(&new, Some(owner.uid()), Some(owner.gid()))?;
        }
        fs::rename(&new, path)
    };
    written().map_err(|source| {
        let _nothing_was_left = fs::remove_file(&new);
        io_error(path, source)
    })
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error(path, source)),
    }
}

fn io_error(path: &Path, source: io::Error) -> FileError {
    FileError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
