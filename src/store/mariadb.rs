//! The MariaDB driver: one connection, made anew when it was lost; transactions over it that never outstay their time.
//!
//! The driver below is asynchronous; here it is driven step by step on the store's own thread, so that repositories are
//! the same plain functions for both databases.

mod errors;
mod statements;

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use secrecy::ExposeSecret;
use tokio::runtime::{self, Runtime};

use super::database::{Access, Patience, REQUEST_LIMIT};
use super::error::StoreError;
use super::transaction::{Statement, Transaction};
use super::url::{MariaDbAddress, StoreUrl, Tls};
use statements::{MariaDbTransaction, perform, script};

/// A server that takes longer to answer a connection is away.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// After a failed connection the next one waits so long, then twice as long, up to the maximum. Meanwhile requests fail at
/// once, with what the last connection met.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A connection that carries nothing is probed, so that a server that vanished is noticed during long work too.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// How often a transaction is started again that the server undid for another one's sake.
const ATTEMPTS_AGAINST_DEADLOCK: u32 = 3;

/// A database on a MariaDB server.
pub(super) struct MariaDb {
    url: StoreUrl,
    runtime: Runtime,
    requests: Opts,
    long_work: Opts,
    /// For requests; long work has a connection of its own, which ends with it.
    connection: Option<Conn>,
    away: Option<Away>,
}

/// The server could not be reached.
struct Away {
    error: StoreError,
    pause: Duration,
    /// No connection is tried before.
    until: Instant,
}

impl MariaDb {
    /// Connects, so that a wrong address or account shows at once.
    pub fn open(address: &MariaDbAddress, url: StoreUrl) -> Result<Self, StoreError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Unreachable {
            url: url.clone(),
            reason: error.to_string(),
        })?;
        let mut database = Self {
            url,
            runtime,
            requests: options(address, Some(REQUEST_LIMIT - Duration::from_secs(1))),
            long_work: options(address, None),
            connection: None,
            away: None,
        };
        database.connection = Some(database.connect(Instant::now() + REQUEST_LIMIT)?);
        Ok(database)
    }

    /// See [`super::database::Database::transact`].
    pub fn transact<T>(
        &mut self,
        access: Access,
        patience: Patience,
        work: impl Fn(&mut dyn Transaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let deadline = match patience {
            Patience::Until(deadline) => deadline,
            Patience::Endless => return self.long_work(access, &work),
        };
        let mut attempt = 1;
        loop {
            match self.request(access, deadline, &work) {
                Err(StoreError::Locked { .. }) if attempt < ATTEMPTS_AGAINST_DEADLOCK => attempt += 1,
                result => return result,
            }
        }
    }

    /// See [`super::database::Database::run_at_once`].
    pub fn run_at_once(&mut self, deadline: Instant, statements: &[Statement]) -> Result<(), StoreError> {
        let script = script(statements);
        let mut attempt = 1;
        loop {
            let was_connected = self.connection.is_some();
            match self.script(deadline, &script) {
                Err(StoreError::Locked { .. }) if attempt < ATTEMPTS_AGAINST_DEADLOCK => {}
                Err(StoreError::Lost { .. }) if was_connected => {}
                result => return result,
            }
            attempt += 1;
        }
    }

    fn script(&mut self, deadline: Instant, script: &str) -> Result<(), StoreError> {
        if Instant::now() >= deadline {
            return Err(StoreError::Timeout { url: self.url.clone() });
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(deadline)?,
        };
        let transaction = MariaDbTransaction::new(&self.runtime, &self.url, connection, Some(deadline));
        let (result, connection) = transaction.whole(script);
        self.connection = connection;
        result
    }

    fn request<T>(
        &mut self,
        access: Access,
        deadline: Instant,
        work: &impl Fn(&mut dyn Transaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Whoever waited behind slower ones has no time left; the server may be fine.
        if Instant::now() >= deadline {
            return Err(StoreError::Timeout { url: self.url.clone() });
        }
        let mut transaction = match self.connection.take() {
            Some(connection) => match self.begin(connection, access, Some(deadline)) {
                // It was lost while nobody used it, and nothing has been asked yet.
                Err(StoreError::Lost { .. }) => self.begin_on_new_connection(access, deadline)?,
                begun => begun?,
            },
            None => self.begin_on_new_connection(access, deadline)?,
        };
        let result = work(&mut transaction);
        let (result, connection) = transaction.end(result, access);
        self.connection = connection;
        result
    }

    fn begin_on_new_connection(
        &mut self,
        access: Access,
        deadline: Instant,
    ) -> Result<MariaDbTransaction<'_>, StoreError> {
        let connection = self.connect(deadline)?;
        self.begin(connection, access, Some(deadline))
    }

    fn long_work<T>(
        &mut self,
        access: Access,
        work: &impl Fn(&mut dyn Transaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let limit = Instant::now() + CONNECT_LIMIT;
        let connection =
            perform(&self.runtime, &self.url, Some(limit), Conn::new(self.long_work.clone())).map_err(not_connected)?;
        let mut transaction = self.begin(connection, access, None)?;
        let result = work(&mut transaction);
        let (result, connection) = transaction.end(result, access);
        if let Some(connection) = connection {
            self.disconnect(connection);
        }
        result
    }

    fn begin(
        &self,
        mut connection: Conn,
        access: Access,
        deadline: Option<Instant>,
    ) -> Result<MariaDbTransaction<'_>, StoreError> {
        let statement = match access {
            Access::Read => "START TRANSACTION READ ONLY",
            Access::Write => "START TRANSACTION",
        };
        perform(&self.runtime, &self.url, deadline, connection.query_drop(statement))?;
        Ok(MariaDbTransaction::new(&self.runtime, &self.url, connection, deadline))
    }

    /// A new connection, or what the last attempt to make one met when that was only just now.
    fn connect(&mut self, deadline: Instant) -> Result<Conn, StoreError> {
        let now = Instant::now();
        if let Some(away) = self.away.as_ref().filter(|away| now < away.until) {
            return Err(away.error.clone());
        }
        let limit = deadline.min(now + CONNECT_LIMIT);
        let error = match perform(&self.runtime, &self.url, Some(limit), Conn::new(self.requests.clone())) {
            Ok(connection) => {
                self.away = None;
                return Ok(connection);
            }
            // The caller's time was over, not the server's.
            Err(timeout @ StoreError::Timeout { .. }) if limit == deadline => return Err(timeout),
            Err(error) => not_connected(error),
        };
        let pause = self
            .away
            .as_ref()
            .map_or(FIRST_PAUSE, |away| (away.pause * 2).min(LONGEST_PAUSE));
        self.away = Some(Away {
            error: error.clone(),
            pause,
            until: Instant::now() + pause,
        });
        Err(error)
    }

    /// Says goodbye; the server would otherwise count an aborted connection.
    fn disconnect(&self, connection: Conn) {
        let limit = Instant::now() + Duration::from_secs(1);
        let _it_is_gone_either_way = perform(&self.runtime, &self.url, Some(limit), connection.disconnect());
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.disconnect(connection);
        }
    }
}

/// What a failure means where no connection was made yet.
fn not_connected(error: StoreError) -> StoreError {
    let (url, reason) = if let StoreError::Lost { url, reason } = error {
        (url, reason)
    } else if let StoreError::Timeout { url } = error {
        (url, format!("no answer within {} s", CONNECT_LIMIT.as_secs()))
    } else {
        return error;
    };
    StoreError::Unreachable { url, reason }
}

/// The options of a connection on which the server gives a statement up after `statement_limit`: a little before we do, so
/// that it does not go on with what nobody waits for.
fn options(address: &MariaDbAddress, statement_limit: Option<Duration>) -> Opts {
    let mut session = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'".to_owned();
    if let Some(limit) = statement_limit {
        let seconds = limit.as_secs();
        session.push_str(&format!(
            ", lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}, max_statement_time = {seconds}"
        ));
    }
    let tls = match &address.tls {
        Tls::Off => None,
        Tls::On => Some(SslOpts::default()),
        Tls::Authority(file) => Some(
            SslOpts::default()
                .with_disable_built_in_roots(true)
                .with_root_certs(vec![file.clone().into()]),
        ),
    };
    OptsBuilder::default()
        .ip_or_hostname(address.host.clone())
        .tcp_port(address.port)
        .user(Some(address.user.clone()))
        .pass(Some(address.password.expose_secret()))
        .db_name(Some(address.database.clone()))
        // Where the address says, even if the server has a socket on this machine.
        .prefer_socket(false)
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        // As SQLite counts: the rows that an UPDATE found, changed or not.
        .client_found_rows(true)
        .ssl_opts(tls)
        .init(vec![session])
        .into()
}
