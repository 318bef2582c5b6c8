//! VICIdial's `cid_channels_recent_<server>`: the trunk channel of each auto-dialled call. At the answer, a script of VICIdial
//! redirects the channel that it finds here first.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::owner::Store;
use super::transaction::{Statement, cut};
use super::url::StoreUrl;

/// The columns, all of them.
const COLUMNS: &str =
    "caller_id_name, connected_line_name, call_date, channel, dest_channel, linkedid, dest_uniqueid, uniqueid";

/// One row; VICIdial writes the like for every channel that it sees, each time that it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentChannelRow {
    /// The call code: `caller_id_name` and `connected_line_name`.
    pub call_code: String,
    /// The name of the Local channel that dials: `channel`.
    pub caller_channel: String,
    /// That channel's unique id: `dest_uniqueid`, whatever the column's name says.
    pub caller_uniqueid: String,
    /// The trunk channel's name, which is redirected: `dest_channel`.
    pub leg_channel: String,
    /// That channel's unique id: `uniqueid`, whatever the column's name says.
    pub leg_uniqueid: String,
    /// The unique id of the oldest channel of the call, which is the Local channel's other half: `linkedid`.
    pub linked_id: String,
}

/// What becomes of other rows of the same call code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherRows {
    /// They stay: the call had no leg before.
    Keep,
    /// Those that are not older than this go: earlier legs had them.
    Delete {
        /// The age of the call, and some more for clocks that differ.
        not_older_than: Duration,
    },
}

impl Store {
    /// Writes the row of a leg by `deadline`, or not at all as far as that can be known.
    ///
    /// # Errors
    /// [`StoreError`]: the table is missing or locked, the database is away, or the time was over.
    pub async fn write_recent_channel(
        &self,
        server_ip: Ipv4Addr,
        row: RecentChannelRow,
        others: OtherRows,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let table = table_of(server_ip);
        let mut statements = vec![insert(&table, &row)];
        if let OtherRows::Delete { not_older_than } = others {
            statements.insert(0, delete(self.url(), &table, &row.call_code, not_older_than));
        }
        self.perform(move |database| database.run_at_once(deadline, &statements))
            .await
    }

    /// Whether rows of legs can be written for this dialer; writes none.
    ///
    /// # Errors
    /// [`StoreError::NoRecentChannels`] when VICIdial has not made the table, [`StoreError::MissingGrant`] when this account may
    /// not write it, [`StoreError::Timeout`] when it stays locked.
    pub async fn check_recent_channels(&self, server_ip: Ipv4Addr) -> Result<(), StoreError> {
        let table = table_of(server_ip);
        self.write(move |transaction| {
            if !transaction.has_table(&table)? {
                let url = transaction.url().clone();
                let table = table.clone();
                return Err(StoreError::NoRecentChannels { url, table });
            }
            for sql in [
                format!("INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM {table} WHERE 1 = 0"),
                format!("DELETE FROM {table} WHERE 1 = 0"),
            ] {
                transaction.execute(&sql, &[])?;
            }
            Ok(())
        })
        .await
    }
}

/// The table of a dialer: each part of its address has three digits in the name.
fn table_of(server_ip: Ipv4Addr) -> String {
    let [a, b, c, d] = server_ip.octets();
    format!("cid_channels_recent_{a:03}{b:03}{c:03}{d:03}")
}

fn delete(url: &StoreUrl, table: &str, call_code: &str, not_older_than: Duration) -> Statement {
    // The only index of the table is that of its times.
    let since = match url {
        StoreUrl::Sqlite(_) => "datetime('now', '-' || ? || ' seconds')",
        StoreUrl::MariaDb(_) => "CURRENT_TIMESTAMP - INTERVAL ? SECOND",
    };
    let seconds = i64::try_from(not_older_than.as_secs()).unwrap_or(i64::MAX);
    Statement {
        sql: format!(
            "DELETE FROM {table} WHERE call_date >= {since} AND (caller_id_name = ? OR connected_line_name = ?)"
        ),
        parameters: vec![seconds.into(), call_code.into(), call_code.into()],
    }
}

fn insert(table: &str, row: &RecentChannelRow) -> Statement {
    Statement {
        sql: format!("INSERT INTO {table} ({COLUMNS}) VALUES (?, ?, CURRENT_TIMESTAMP, ?, ?, ?, ?, ?)"),
        parameters: vec![
            cut(&row.call_code, 30),
            cut(&row.call_code, 30),
            cut(&row.caller_channel, 100),
            cut(&row.leg_channel, 100),
            cut(&row.linked_id, 20),
            cut(&row.caller_uniqueid, 20),
            cut(&row.leg_uniqueid, 20),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_table_has_three_digits_for_each_part() {
        assert_eq!(
            table_of(Ipv4Addr::new(10, 0, 7, 123)),
            "cid_channels_recent_010000007123"
        );
    }
}
