//! Who is at the other end, and who we are.

use std::io;

use tokio::net::UnixStream;

use crate::control::Actor;

/// The user at the other end of a connection, by the id that the kernel vouches for.
pub(super) async fn peer(stream: &UnixStream) -> io::Result<Actor> {
    let uid = stream.peer_cred()?.uid();
    // Users of a directory service are not in this file; their id alone goes on record.
    let users = tokio::fs::read_to_string("/etc/passwd").await.unwrap_or_default();
    Ok(Actor::user(uid, name_of(&users, uid)))
}

/// The user of this process, as a daemon would see it.
///
/// # Errors
/// When the process may not open a socket at all.
pub async fn this_user() -> io::Result<Actor> {
    let (near, _far) = UnixStream::pair()?;
    peer(&near).await
}

/// The name of a user in the text of `/etc/passwd`.
fn name_of(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_name_by_its_id() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\nbroken\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(name_of(users, 0), Some("root"));
        assert_eq!(name_of(users, 1000), Some("alice"));
        assert_eq!(name_of(users, 100), None);
    }
}
