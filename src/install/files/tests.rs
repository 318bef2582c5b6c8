//! Files in a directory of their own: installed, installed again, edited, taken out.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::config::{Source, load};

const EXTENSIONS: &str = "[general]\nstatic=yes\n\n[globals]\n#include extensions-vicidial.conf\nX => 1\n\n[default]\n\
    exten => h,1,AGI(agi://127.0.0.1:4577/call_log--HVcauses--PRI)";
const HTTP: &str =
    "[general]\n; web phones\nenabled=yes\nbindaddr=0.0.0.0\nbindport=8088\ntlsenable=yes\ntlsbindaddr=0.0.0.0:8089\n";
const ARI: &str = "[general]\nenabled = yes\n[other]\ntype = user\npassword = theirs\n";

struct Scene {
    directory: TempDir,
    places: Places,
    settings: Settings,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let asterisk = directory.path().join("etc");
        fs::create_dir(&asterisk).unwrap();
        for (name, text) in [(DIALPLAN, EXTENSIONS), ("http.conf", HTTP), ("ari.conf", ARI)] {
            fs::write(asterisk.join(name), text).unwrap();
        }
        let places = Places {
            asterisk,
            originals: directory.path().join("originals"),
        };
        let settings = [
            ("CRANKBACK_SERVER__IP", "10.0.0.1"),
            ("CRANKBACK_ARI__USERNAME", "dialer"),
            ("CRANKBACK_ARI__PASSWORD", "hunter2"),
            ("CRANKBACK_AMI__USERNAME", "looker"),
            ("CRANKBACK_AMI__PASSWORD", "hunter3"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let empty = directory.path().join("crankback.toml");
        fs::write(&empty, "").unwrap();
        Self {
            settings: load(&Source::File(empty), settings).unwrap(),
            directory,
            places,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.places.asterisk.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Every file of the directory with its text.
    fn all(&self) -> Vec<(PathBuf, String)> {
        let mut files: Vec<_> = fs::read_dir(&self.places.asterisk)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn plan(&self) -> FilePlan {
        install(&self.places, &self.settings, Contexts::File).unwrap()
    }

    fn apply(&self, plan: &FilePlan) {
        for change in &plan.changes {
            apply(&self.places, change).unwrap();
        }
    }

    fn install(&self) {
        self.apply(&self.plan());
    }

    fn uninstall(&self) {
        self.apply(&uninstall(&self.places).unwrap());
    }
}

#[test]
fn what_is_installed_is_installed_once_and_taken_out_without_a_trace() {
    let scene = Scene::new();
    let before = scene.all();
    scene.install();
    let installed = scene.all();
    assert_eq!(scene.text(OWN), shipped::DIALPLAN);
    assert!(scene.text(DIALPLAN).contains("\n#include extensions-crankback.conf\n"));
    assert!(
        scene
            .text(DIALPLAN)
            .contains("CRANKBACK_VICIDIAL_LOG = agi://127.0.0.1:4577/call_log\n")
    );
    assert!(
        scene
            .text("ari.conf")
            .contains("[dialer]\ntype = user\npassword = hunter2\n")
    );
    assert!(scene.text("manager.conf").contains("[looker]\nsecret = hunter3\n"));
    let http = scene.text("http.conf");
    assert!(
        http.contains("sessionlimit = 400") && !http.contains("127.0.0.1"),
        "{http}"
    );

    assert_eq!(scene.plan().changes, []);
    scene.install();
    assert_eq!(scene.all(), installed);
    scene.uninstall();
    assert_eq!(scene.all(), before);
    let nothing_left = uninstall(&scene.places).unwrap();
    assert_eq!(nothing_left.changes, []);
}

#[test]
fn originals_lie_beside_with_their_path() {
    let scene = Scene::new();
    scene.install();
    let path = scene.path("http.conf");
    let kept = scene.places.originals.join(path.strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(kept).unwrap(), HTTP);
}

#[test]
fn an_edit_beside_our_lines_stays_and_one_within_them_is_named() {
    let scene = Scene::new();
    scene.install();
    let edited = scene.text("http.conf") + "tlscertfile=/etc/x.pem\n";
    fs::write(scene.path("http.conf"), edited).unwrap();
    let within = scene.text("ari.conf").replace("hunter2", "hunter4");
    fs::write(scene.path("ari.conf"), within).unwrap();
    let error = uninstall(&scene.places).unwrap_err();
    assert_eq!(error.code(), "conf_block_edited");
    let text = error.to_string();
    assert!(
        text.contains("ari.conf, line 10: crankback's block that begins here has been edited"),
        "{text}"
    );
    assert!(!text.contains("hunter"), "{text}");

    let put_back = scene.text("ari.conf").replace("hunter4", "hunter2");
    fs::write(scene.path("ari.conf"), put_back).unwrap();
    scene.uninstall();
    assert_eq!(scene.text("http.conf"), format!("{HTTP}tlscertfile=/etc/x.pem\n"));
    assert_eq!(scene.text("ari.conf"), ARI);
}

#[test]
fn a_setting_that_conflicts_is_left_and_told() {
    let scene = Scene::new();
    fs::write(scene.path("http.conf"), HTTP.replace("bindport=8088", "bindport=8090")).unwrap();
    let plan = scene.plan();
    assert_eq!(plan.left.len(), 1, "{:?}", plan.left);
    assert!(
        plan.left[0].ends_with("http.conf, line 5: [general] bindport = 8090: left as it is, crankback needs 8088"),
        "{:?}",
        plan.left
    );
}

#[test]
fn our_dialplan_is_replaced_by_a_newer_edition_and_left_where_it_was_edited() {
    let scene = Scene::new();
    let older = "[crankback]\nexten => s,1,Return()\nexten => edition_0,1,Return()\n";
    scene.install();
    fs::write(scene.path(OWN), shipped::marked(older)).unwrap();
    scene.install();
    assert_eq!(scene.text(OWN), shipped::DIALPLAN);
    fs::write(scene.path(OWN), shipped::DIALPLAN.replace("CANCEL", "BUSY")).unwrap();
    assert_eq!(
        install(&scene.places, &scene.settings, Contexts::File)
            .unwrap_err()
            .code(),
        "conf_own_file_edited"
    );
    assert_eq!(uninstall(&scene.places).unwrap_err().code(), "conf_own_file_edited");
}

#[test]
fn contexts_that_stand_elsewhere_are_not_installed_twice() {
    let scene = Scene::new();
    fs::write(
        scene.path("extensions-vicidial.conf"),
        "X = 1\n[crankback]\nexten => s,1,Return()\n",
    )
    .unwrap();
    let plan = scene.plan();
    assert!(
        plan.notes[0].contains("[crankback] stands in extensions-vicidial.conf already"),
        "{:?}",
        plan.notes
    );
    assert!(plan.changes.iter().all(|change| !change.path.ends_with(OWN)));
}

#[test]
fn a_link_stays_a_link_and_rights_stay() {
    let scene = Scene::new();
    let real = scene.directory.path().join("real-http.conf");
    fs::rename(scene.path("http.conf"), &real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o604)).unwrap();
    symlink(&real, scene.path("http.conf")).unwrap();
    scene.install();
    assert!(fs::symlink_metadata(scene.path("http.conf")).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o604);
    assert!(fs::read_to_string(&real).unwrap().contains("sessionlimit"));
    let new = fs::metadata(scene.path(OWN)).unwrap().permissions().mode() & 0o777;
    assert_eq!(new, NEW_FILE_MODE);
    scene.uninstall();
    assert_eq!(fs::read_to_string(&real).unwrap(), HTTP);
}

#[test]
fn another_directory_than_asterisks_is_refused() {
    let scene = Scene::new();
    fs::remove_file(scene.path(DIALPLAN)).unwrap();
    assert_eq!(
        install(&scene.places, &scene.settings, Contexts::File)
            .unwrap_err()
            .code(),
        "conf_no_dialplan"
    );
}

#[test]
fn a_user_that_is_there_gets_no_line_more() {
    let scene = Scene::new();
    let manager = "[general]\nenabled = yes\n[looker]\nsecret = hunter3\nread = all\n";
    fs::write(scene.path("manager.conf"), manager).unwrap();
    let ari = format!("{ARI}[dialer]\ntype = user\npassword = another\n");
    fs::write(scene.path("ari.conf"), &ari).unwrap();
    let plan = scene.plan();
    assert!(plan.changes.iter().all(|change| !change.path.ends_with("manager.conf")));
    let told = "line 8: [dialer] password = (not shown): left as it is, crankback needs the one of crankback.toml";
    assert!(plan.left.iter().any(|left| left.ends_with(told)), "{:?}", plan.left);
    scene.install();
    assert!(!scene.text("ari.conf").contains("password_format"));
}
