//! Every table that routes are made of, read at one moment; and the cheap question whether any of them has changed.

use super::carriers::{self, CarrierSettingsRow};
use super::error::StoreError;
use super::meta::{self, checksum};
use super::outbound_routes::{self, RouteRow};
use super::owner::Store;
use super::transaction::Transaction;
use super::vicidial_campaigns::{self, CampaignRow};
use super::vicidial_servers::{self, ServerRow};
use super::{vicidial_conf_templates, vicidial_server_carriers};
use crate::vicidial::carriers::{CarrierRow, TemplateRow};

/// The rows that routes are made of, all of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingTables {
    /// VICIdial's carriers: of all servers, active or not. Empty where the table does not exist.
    pub carriers: Vec<CarrierRow>,
    /// What VICIdial writes behind the accounts of carriers. Empty where the table does not exist.
    pub templates: Vec<TemplateRow>,
    /// VICIdial's dialers. Empty where the table does not exist.
    pub servers: Vec<ServerRow>,
    /// VICIdial's campaigns. Empty where the table does not exist.
    pub campaigns: Vec<CampaignRow>,
    /// The operator's routes.
    pub routes: Vec<RouteRow>,
    /// What the operator set about carriers.
    pub carrier_settings: Vec<CarrierSettingsRow>,
    /// Stands for the content of all of them.
    pub fingerprint: Fingerprint,
}

/// Stands for the content of all tables that routes are made of. Two that differ: read the tables again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Grows with each change of our routing tables.
    pub revision: i64,
    /// Checksum over the rows of VICIdial's carriers.
    pub carriers: i64,
    /// Checksum over the rows of VICIdial's templates.
    pub templates: i64,
    /// Checksum over the rows of VICIdial's dialers.
    pub servers: i64,
    /// Checksum over the rows of VICIdial's campaigns.
    pub campaigns: i64,
}

impl Store {
    /// Reads all tables that routes are made of, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read, or a number in it is none.
    pub async fn routing_tables(&self) -> Result<RoutingTables, StoreError> {
        self.read(|transaction| {
            let vicidial = VicidialTables::read(transaction)?;
            let routes = outbound_routes::list(transaction)?;
            let carrier_settings = carriers::list(transaction)?;
            let fingerprint = vicidial.fingerprint(transaction)?;
            let VicidialTables {
                carriers,
                templates,
                servers,
                campaigns,
            } = vicidial;
            Ok(RoutingTables {
                carriers,
                templates,
                servers,
                campaigns,
                routes,
                carrier_settings,
                fingerprint,
            })
        })
        .await
    }

    /// Asks whether the tables must be read again. Reads VICIdial's tables, which have tens of rows: nothing in them tells a
    /// change, and other programs write them.
    ///
    /// # Errors
    /// As [`Store::routing_tables`].
    pub async fn fingerprint(&self) -> Result<Fingerprint, StoreError> {
        self.read(|transaction| VicidialTables::read(transaction)?.fingerprint(transaction))
            .await
    }
}

/// The tables that other programs write.
struct VicidialTables {
    carriers: Vec<CarrierRow>,
    templates: Vec<TemplateRow>,
    servers: Vec<ServerRow>,
    campaigns: Vec<CampaignRow>,
}

impl VicidialTables {
    fn read(transaction: &mut dyn Transaction) -> Result<Self, StoreError> {
        Ok(Self {
            carriers: vicidial_server_carriers::list(transaction)?,
            templates: vicidial_conf_templates::list(transaction)?,
            servers: vicidial_servers::list(transaction)?,
            campaigns: vicidial_campaigns::list(transaction)?,
        })
    }

    fn fingerprint(&self, transaction: &mut dyn Transaction) -> Result<Fingerprint, StoreError> {
        Ok(Fingerprint {
            revision: meta::revision(transaction)?,
            carriers: checksum_of(&self.carriers),
            templates: checksum_of(&self.templates),
            servers: checksum_of(&self.servers),
            campaigns: checksum_of(&self.campaigns),
        })
    }
}

/// The debug text holds every column, quoted: two rows that differ never give the same text.
fn checksum_of<Row: std::fmt::Debug>(rows: &[Row]) -> i64 {
    checksum(rows.iter().map(|row| format!("{row:?}")))
}
