//! Who may have the socket file, and when it may be replaced.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crankback::socket::ControlSocket;

async fn claim(path: &Path) -> Result<ControlSocket, &'static str> {
    ControlSocket::claim(path).await.map_err(|error| {
        assert!(error.to_string().contains("control.sock"), "{error}");
        error.code()
    })
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("is listed");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_free_path_is_taken_and_left_clean() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    let socket = claim(&path).await.expect("is free");
    let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    assert_eq!(files(directory.path()), ["control.sock", "control.sock.lock"]);
    drop(socket);
    assert_eq!(files(directory.path()), ["control.sock.lock"]);
    claim(&path).await.expect("is free again");
}

#[tokio::test]
async fn the_leftover_of_a_dead_daemon_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    // A process that dies leaves its files, those under construction too; its lock goes with it.
    drop(UnixListener::bind(&path).expect("is bound"));
    drop(UnixListener::bind(directory.path().join("control.sock.new")).expect("is bound"));
    std::fs::write(directory.path().join("control.sock.lock"), "").expect("is written");
    let _socket = claim(&path).await.expect("is replaced");
    assert_eq!(files(directory.path()), ["control.sock", "control.sock.lock"]);
    std::os::unix::net::UnixStream::connect(&path).expect("somebody listens");
}

#[tokio::test]
async fn a_second_daemon_gets_it_only_when_the_first_lets_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    let first = claim(&path).await.expect("is free");
    assert_eq!(claim(&path).await.map(|_| ()), Err("control_socket_held"));
    // Not even when somebody removed the file: the daemon behind it lives.
    std::fs::remove_file(&path).expect("is removed");
    assert_eq!(claim(&path).await.map(|_| ()), Err("control_socket_held"));
    drop(first);
    claim(&path).await.expect("is free");
}

#[tokio::test]
async fn what_belongs_to_others_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.sock");
    std::fs::write(&path, "a letter").expect("is written");
    assert_eq!(claim(&path).await.map(|_| ()), Err("control_socket_not_a_socket"));
    assert_eq!(std::fs::read_to_string(&path).expect("is read"), "a letter");
    std::fs::remove_file(&path).expect("is removed");

    let other = UnixListener::bind(&path).expect("is bound");
    assert_eq!(claim(&path).await.map(|_| ()), Err("control_socket_foreign"));
    drop(other);

    // A file that somebody put in place of ours is not ours to remove.
    let socket = claim(&path).await.expect("is a leftover now");
    std::fs::remove_file(&path).expect("is removed");
    std::fs::write(&path, "a letter").expect("is written");
    drop(socket);
    assert_eq!(std::fs::read_to_string(&path).expect("is read"), "a letter");

    let nowhere = directory.path().join("no/such/control.sock");
    assert_eq!(claim(&nowhere).await.map(|_| ()), Err("control_socket_io"));
}
