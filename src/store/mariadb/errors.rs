//! What a MariaDB server's refusals mean, by their numbers, and which grant would lift them.

use mysql_async::{Error, IoError, ServerError};

use super::super::error::StoreError;
use super::super::grants::Scope;
use super::super::url::StoreUrl;

const UNKNOWN_TABLE: u16 = 1146;

/// Whether a statement failed because its table does not exist.
pub(super) fn is_unknown_table(error: &Error) -> bool {
    matches!(
        error,
        Error::Server(ServerError {
            code: UNKNOWN_TABLE,
            ..
        })
    )
}

/// The error in the store's words.
pub(super) fn translate(url: &StoreUrl, error: &Error) -> StoreError {
    let url = url.clone();
    match error {
        Error::Server(refusal) => refused(url, refusal),
        Error::Io(IoError::Io(error)) => StoreError::Lost {
            url,
            reason: error.to_string(),
        },
        Error::Io(IoError::Tls(error)) => StoreError::Unreachable {
            url,
            reason: format!("TLS: {error}"),
        },
        Error::Driver(mysql_async::DriverError::NoClientSslFlagFromServer) => StoreError::Unreachable {
            url,
            reason: "the address asks for TLS, which this server does not offer".to_owned(),
        },
        Error::Driver(_) | Error::Other(_) | Error::Url(_) => StoreError::Lost {
            url,
            reason: error.to_string(),
        },
    }
}

/// The numbers are those of MariaDB's list of error codes.
fn refused(url: StoreUrl, refusal: &ServerError) -> StoreError {
    let reason = refusal.message.clone();
    match refusal.code {
        // wrong password; account that logs in by socket only
        1045 | 1698 => StoreError::AccessDenied { url, reason },
        // unknown database
        1049 => StoreError::NoDatabase { url },
        // no right on: the database, the table, the column; a right of the whole server
        1044 | 1142 | 1143 | 1227 => not_granted(url, reason),
        // waited too long for a lock; the statement took too long; it was killed
        1205 | 1969 | 1317 => StoreError::Timeout { url },
        // deadlock; rows changed since they were read; somebody inserted a row that was not there a moment ago
        1213 | 1020 | 1062 => StoreError::Locked { url },
        // the whole server is read-only
        1290 | 1836 => StoreError::ReadOnly { url },
        // shutting down; connection killed
        1053 | 1927 => StoreError::Lost { url, reason },
        // too many connections; host blocked; host not allowed; account locked; account with too many connections
        1040 | 1129 | 1130 | 4151 | 1203 | 1226 => StoreError::Unreachable { url, reason },
        _ => StoreError::Statement { url, reason },
    }
}

fn not_granted(url: StoreUrl, reason: String) -> StoreError {
    let StoreUrl::MariaDb(address) = &url else {
        return StoreError::Statement { url, reason };
    };
    // Most refusals name the host that we come from, not the one that the account is granted for; and a GRANT for an account
    // that does not exist may make one, without a password. So no host is guessed: this is no valid statement until
    // somebody fills it in, or until the server was asked.
    let account = format!("'{}'@HOST", address.user);
    if ["CREATE ", "ALTER ", "INDEX "]
        .iter()
        .any(|right| reason.starts_with(right))
    {
        StoreError::MayNotMigrate { url, reason, account }
    } else {
        let scope = Scope::of(refused_table(&reason), !reason.starts_with("SELECT "));
        StoreError::MissingGrant {
            url,
            reason,
            scope,
            account,
        }
    }
}

/// The table that a refusal names: ``... for table `asterisk`.`servers` `` or, of older servers, `... for table 'servers'`.
fn refused_table(reason: &str) -> Option<&str> {
    let (_, named) = reason.rsplit_once(" table ")?;
    let name = named.rsplit('.').next()?;
    Some(name.trim_matches(['`', '\'']))
}

/// The question for the account that we are, and the error with its answer: `cron@%`.
pub(super) const WHO_AM_I: &str = "SELECT CURRENT_USER() AS account";

/// Puts the server's answer to [`WHO_AM_I`] into an error about a missing right.
pub(super) fn name_account(error: &mut StoreError, answer: &str) {
    if let StoreError::MissingGrant { account, .. } | StoreError::MayNotMigrate { account, .. } = error
        && let Some((user, host)) = answer.rsplit_once('@')
    {
        *account = format!("'{user}'@'{host}'");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, message: &str) -> StoreError {
        let url: StoreUrl = "mysql://cron:hunter2@db/asterisk".parse().expect("is a url");
        let refusal = ServerError {
            code,
            message: message.to_owned(),
            state: "HY000".to_owned(),
        };
        translate(&url, &Error::Server(refusal))
    }

    #[test]
    fn a_missing_right_names_the_grants_and_guesses_no_host() {
        let mut error = refusal(
            1142,
            "SELECT command denied to user 'cron'@'10.0.0.7' for table `asterisk`.`servers`",
        );
        let guessed = "GRANT SELECT ON `asterisk`.`vicidial_server_carriers` TO 'cron'@HOST; \
                       GRANT SELECT ON `asterisk`.`vicidial_conf_templates` TO 'cron'@HOST; \
                       GRANT SELECT ON `asterisk`.`servers` TO 'cron'@HOST; \
                       GRANT SELECT ON `asterisk`.`vicidial_campaigns` TO 'cron'@HOST;";
        assert_eq!(error.grant().as_deref(), Some(guessed));
        assert!(error.to_string().contains(guessed), "{error}");
        name_account(&mut error, "cron@10.0.0.%");
        let known = guessed.replace("HOST", "'10.0.0.%'");
        assert_eq!(error.grant(), Some(known));
        assert_eq!(error.code(), "store_missing_grant");
    }

    #[test]
    fn rights_are_asked_for_where_they_are_missing() {
        let daily = "GRANT SELECT, INSERT, UPDATE, DELETE ON `asterisk`";
        for (number, message, start) in [
            (
                1142,
                "INSERT command denied to user 'cron'@'%' for table `asterisk`.`crankback_audit`",
                format!("{daily}.`crankback_outbound_routes` TO"),
            ),
            (
                1142,
                "SELECT command denied to user 'cron'@'%' for table 'vicidial_campaigns'",
                "GRANT SELECT ON `asterisk`.`vicidial_server_carriers` TO".to_owned(),
            ),
            (
                1143,
                "SELECT command denied to user 'cron'@'%' for column 'active' in table 'servers'",
                "GRANT SELECT ON `asterisk`.`vicidial_server_carriers` TO".to_owned(),
            ),
            (
                1044,
                "Access denied for user 'cron'@'%' to database 'asterisk'",
                format!("{daily}.* TO"),
            ),
        ] {
            let grant = refusal(number, message).grant().expect("names the grant");
            assert!(grant.starts_with(&start), "{message}: {grant}");
        }
    }

    #[test]
    fn a_migration_without_rights_names_the_grant_and_the_account_to_use() {
        let error = refusal(
            1142,
            "CREATE command denied to user 'cron'@'%' for table `asterisk`.`crankback_meta`",
        );
        let text = error.to_string();
        assert_eq!(error.code(), "store_may_not_migrate");
        for part in [
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON `asterisk`.* TO 'cron'@HOST;",
            "CRANKBACK_STORE__URL='mysql://custom:PASSWORD@db:3306/asterisk' crankback db migrate",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn each_kind_of_refusal_has_its_code() {
        for (number, code) in [
            (1045, "store_access_denied"),
            (1049, "store_no_database"),
            (1205, "store_timeout"),
            (1213, "store_locked"),
            (1290, "store_read_only"),
            (1927, "store_lost"),
            (1040, "store_unreachable"),
            (1064, "store_statement"),
        ] {
            assert_eq!(refusal(number, "no").code(), code, "{number}");
        }
    }
}
