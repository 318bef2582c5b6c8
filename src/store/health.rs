//! `crankback_health`: what each dialer knew of its carriers' health, one row a dialer.

use super::error::StoreError;
use super::import::OwnTable;
use super::owner::Store;

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_health",
    columns: "server_ip, taken_ms, snapshot",
    key: &["server_ip"],
};

impl Store {
    /// What a dialer knew when it last wrote it down; `None` if it never did.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn health_snapshot(&self, server_ip: &str) -> Result<Option<String>, StoreError> {
        let server_ip = server_ip.to_owned();
        self.read(move |transaction| {
            let sql = "SELECT snapshot FROM crankback_health WHERE server_ip = ?";
            let rows = transaction.query(sql, &[server_ip.as_str().into()])?;
            rows.first().map(|row| row.text("snapshot")).transpose()
        })
        .await
    }

    /// The dialers whose daemon has written anything down, by address, and when it did last, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn daemons_seen(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.read(|transaction| {
            let rows = transaction.query(
                "SELECT server_ip, taken_ms FROM crankback_health ORDER BY server_ip",
                &[],
            )?;
            let seen = rows
                .iter()
                .map(|row| Ok((row.text("server_ip")?, row.integer("taken_ms")?)));
            seen.collect()
        })
        .await
    }

    /// Writes down what a dialer knows; `taken_ms` is milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn keep_health_snapshot(
        &self,
        server_ip: &str,
        taken_ms: i64,
        snapshot: String,
    ) -> Result<(), StoreError> {
        let server_ip = server_ip.to_owned();
        self.write(move |transaction| {
            let sql = "REPLACE INTO crankback_health (server_ip, taken_ms, snapshot) VALUES (?, ?, ?)";
            let parameters = [server_ip.as_str().into(), taken_ms.into(), snapshot.as_str().into()];
            transaction.execute(sql, &parameters).map(drop)
        })
        .await
    }
}
