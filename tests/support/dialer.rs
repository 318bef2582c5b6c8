//! Places calls as VICIdial does: the same `Originate` for each kind of call, with a call code of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::agi_listener::{AgiListener, CallSettings};
use super::ami::{Ami, ChannelRow, Originate, OriginateResponse, PendingOriginate};
use super::asterisk::dialplan::{AGENT_CONFERENCE, AUTO_DIAL_EXTENSION, CUSTOMER_EXTENSION};
use super::error::LabError;

/// The context of the carriers' entries as crankback leaves them.
pub const DEFAULT_CONTEXT: &str = "default";
/// The context of the untouched entries: what plain `Dial()` does.
pub const NATIVE_CONTEXT: &str = "native";

/// How long an answered customer may take to be in a bridge.
const BRIDGE_LIMIT: Duration = Duration::from_secs(5);
/// How long a placed call may take to have channels.
const CHANNEL_LIMIT: Duration = Duration::from_secs(10);

/// The number of the last lead called: shared, so that no two calls of a test process have the same code.
static LAST_LEAD: AtomicU64 = AtomicU64::new(0);

/// A dialer on one Asterisk.
#[derive(Clone, Debug)]
pub struct Dialer {
    ami: Ami,
    agi: AgiListener,
    caller_number: String,
}

/// A call that Asterisk has accepted.
#[derive(Debug)]
pub struct PlacedCall {
    /// The call code: caller id name of all its channels.
    pub code: String,
    originate: PendingOriginate,
}

impl Dialer {
    /// A dialer that shows the caller number 3125551212.
    pub fn new(ami: &Ami, agi: &AgiListener) -> Self {
        Self {
            ami: ami.clone(),
            agi: agi.clone(),
            caller_number: "3125551212".to_owned(),
        }
    }

    /// An auto-dialed call (V): the carrier's entry for `number` runs on `Local;2`, which is not answered.
    ///
    /// `number` is what the entry matches, with the dial prefix; `timeout` the campaign's dial timeout, which ends the call
    /// when it is not answered.
    pub async fn auto_dial(&self, number: &str, context: &str, timeout: Duration) -> Result<PlacedCall, LabError> {
        let code = format!("V121000745{:010}", next_lead());
        let channel = format!("Local/{number}@{context}");
        self.place(
            code,
            channel,
            (DEFAULT_CONTEXT, AUTO_DIAL_EXTENSION),
            Some(timeout),
            &[],
        )
        .await
    }

    /// The same through crankback's line, with channel variables; once it is answered, the dialer's half waits at `extension`.
    pub async fn auto_dial_with(
        &self,
        number: &str,
        timeout: Duration,
        extension: &str,
        variables: &[(&str, &str)],
    ) -> Result<PlacedCall, LabError> {
        let code = format!("V121000745{:010}", next_lead());
        let channel = format!("Local/{number}@{DEFAULT_CONTEXT}");
        self.place(code, channel, (DEFAULT_CONTEXT, extension), Some(timeout), variables)
            .await
    }

    /// A call that an agent dials (M): the carrier's entry runs on `Local;1`, which is already up, the agent's conference
    /// being at the other end. `dial_timeout` becomes `CAMPDTO`, in whole seconds.
    pub async fn manual(&self, number: &str, context: &str, dial_timeout: Duration) -> Result<PlacedCall, LabError> {
        let code = format!("M121000745{:010}", next_lead());
        let dial_timeout_seconds = u32::try_from(dial_timeout.as_secs()).unwrap_or(u32::MAX);
        self.agi.set_for_call(
            &code,
            CallSettings {
                dial_timeout_seconds,
                ..CallSettings::default()
            },
        );
        let channel = format!("Local/{AGENT_CONFERENCE}@default");
        self.place(code, channel, (context, number), Some(dial_timeout), &[])
            .await
    }

    /// A third party that an agent calls into the conference (DC): the carrier's entry runs on `Local;2`.
    pub async fn three_way(&self, number: &str, context: &str) -> Result<PlacedCall, LabError> {
        let lead = next_lead();
        let code = format!("DC{:06}W{lead:010}W", lead % 1_000_000);
        self.place(
            code,
            format!("Local/{number}@{context}"),
            (DEFAULT_CONTEXT, AGENT_CONFERENCE),
            None,
            &[],
        )
        .await
    }

    /// The half of the call that the dialer holds, as soon as it is there: hanging it up is the dialer giving up.
    pub async fn half_of(&self, call: &PlacedCall) -> Result<ChannelRow, LabError> {
        let began = Instant::now();
        loop {
            let rows = self.ami.core_show_channels().await?;
            let is_it =
                |row: &ChannelRow| row.caller_id_name == call.code && row.is_local() && row.name.ends_with(";1");
            if let Some(half) = rows.into_iter().find(is_it) {
                return Ok(half);
            }
            if began.elapsed() > CHANNEL_LIMIT {
                return Err(LabError::Timeout {
                    what: format!("dialer's half of {}", call.code),
                    after: CHANNEL_LIMIT,
                });
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Takes an answered customer over, as VICIdial's agent-side script does at the answer of an auto-dialed call: the
    /// trunk's channel is redirected to the customer's extension. The channel as it was before.
    ///
    /// Waits until the customer is in a bridge. VICIdial's script does not, but is slower by its own start than a bridge
    /// takes; a redirect before leaves `Dial()` without times.
    pub async fn take_customer(&self, call: &PlacedCall) -> Result<ChannelRow, LabError> {
        self.take_customer_to(call, CUSTOMER_EXTENSION).await
    }

    /// The same, to another extension.
    pub async fn take_customer_to(&self, call: &PlacedCall, extension: &str) -> Result<ChannelRow, LabError> {
        let mut events = self.ami.subscribe();
        let bridged = async {
            loop {
                let channels = self.ami.core_show_channels().await?;
                let is_customer =
                    |row: &ChannelRow| !row.is_local() && row.caller_id_name == call.code && row.bridge_id.is_some();
                if let Some(customer) = channels.into_iter().find(is_customer) {
                    return Ok::<_, LabError>(customer);
                }
                events
                    .wait_for("BridgeEnter", BRIDGE_LIMIT, |event| event.event() == "BridgeEnter")
                    .await?;
            }
        };
        let customer = tokio::time::timeout(BRIDGE_LIMIT, bridged)
            .await
            .map_err(|_| LabError::Timeout {
                what: format!("customer of {} in a bridge", call.code),
                after: BRIDGE_LIMIT,
            })??;
        self.ami.redirect(&customer.name, DEFAULT_CONTEXT, extension).await?;
        Ok(customer)
    }

    async fn place(
        &self,
        code: String,
        channel: String,
        (context, extension): (&str, &str),
        timeout: Option<Duration>,
        variables: &[(&str, &str)],
    ) -> Result<PlacedCall, LabError> {
        let originate = Originate {
            channel,
            context: context.to_owned(),
            extension: extension.to_owned(),
            caller_id: format!("\"{code}\" <{}>", self.caller_number),
            timeout,
            variables: variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            asynchronous: true,
        };
        let originate = self.ami.originate(&originate).await?;
        Ok(PlacedCall { code, originate })
    }
}

impl PlacedCall {
    /// Waits until the first channel is answered, or the call has failed.
    pub async fn response(&self) -> Result<OriginateResponse, LabError> {
        self.originate.response().await
    }
}

fn next_lead() -> u64 {
    LAST_LEAD.fetch_add(1, Ordering::Relaxed) + 1
}
