//! The bench: plain `Dial()`, the stasis engine and the agi engine on one Asterisk, under the same SIP load, in one run.
//!
//! `cargo run --release --example bench` places calls at 30 and 80 a second. The first carrier refuses every call with 503 and
//! the second answers; then the same with a first carrier that answers. The ways take turns in short blocks, so that what the
//! machine does meanwhile hits all of them. Plain `Dial()` fails over in the dialplan, as people write it by hand. Only ratios
//! count: the machine is noisy. `--soak` and `--scale` are runs of their own, with the lab's carriers; `--cluster` needs no
//! Asterisk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod capture;
mod cluster;
mod figures;
mod process;
mod scale;
mod sipp;
mod soak;
mod stand;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use crankback::cli::parse_span;
use serde_json::{Value, json};

use capture::{Capture, moments};
use figures::{Figures, ratio};
use stand::{Caller, Stand};
use support::error::LabError;
use support::rig::daemon::arguments_unless_crankback;
use support::roots::AsteriskVersion;

/// Measures calls through crankback against the same calls through plain `Dial()`.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Which Asterisk
    #[arg(long, value_enum, default_value_t = AsteriskVersion::V22)]
    asterisk: AsteriskVersion,
    /// Who the callers are
    #[arg(long, value_enum, default_value_t = Caller::Dialer)]
    caller: Caller,
    /// One short round: under a minute, for a first look
    #[arg(long)]
    quick: bool,
    /// Every way in which a call can end, for so long (2m, 30m), and then a look at what is left; 0 if nothing is
    #[arg(long, value_name = "TIME", value_parser = parse_span, conflicts_with_all = ["quick", "caller"])]
    soak: Option<Duration>,
    /// 100,000 routes and 2,000 live calls: memory and CPU time
    #[arg(long, conflicts_with_all = ["soak", "quick", "caller"])]
    scale: bool,
    /// The rows of twenty busy daemons into one MariaDB
    #[arg(long, conflicts_with_all = ["scale", "soak", "quick", "caller", "asterisk"])]
    cluster: bool,
    /// Print an object for machines on standard output; everything else goes to standard error
    #[arg(long)]
    json: bool,
}

/// Who carries a block of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// `Dial()`, and another `Dial()` after it.
    Native,
    /// crankback over FastAGI.
    Agi,
    /// crankback over ARI.
    Stasis,
}

impl Way {
    /// In the order in which they take turns.
    const ALL: [Self; 3] = [Self::Native, Self::Agi, Self::Stasis];

    /// Its name in the output.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Agi => "agi",
            Self::Stasis => "stasis",
        }
    }
}

/// What the first carrier does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primary {
    /// 503.
    Refuses,
    /// It answers.
    Healthy,
}

/// One block: who, at which rate, towards which carrier.
type Block = (u32, Primary, Way);

fn main() -> ExitCode {
    let arguments = match arguments_unless_crankback() {
        Ok(arguments) => Arguments::parse_from(arguments),
        Err(ended) => return ended,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a tokio runtime");
    let run = async {
        match arguments.soak {
            Some(lasts) => soak::run(arguments.asterisk, lasts, arguments.json).await,
            None if arguments.cluster => cluster::run(arguments.json).await,
            None if arguments.scale => scale::run(arguments.asterisk, arguments.json).await,
            None => bench(&arguments).await,
        }
    };
    match runtime.block_on(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(arguments: &Arguments) -> Result<bool, LabError> {
    const RATES: [u32; 2] = [30, 80];
    let version = arguments.asterisk;
    let (rounds, seconds) = if arguments.quick { (1, 3) } else { (3, 10) };
    let mut stand = Stand::start(version, arguments.caller).await?;
    let capture = Capture::start(&stand.file("bench.pcap"), &stand.ports.all())?;
    // What is slow the first time only is not measured.
    for way in Way::ALL {
        stand.block(way, Primary::Refuses, 10, 20).await?;
    }
    let mut placed: Vec<(Block, Vec<String>)> = Vec::new();
    let mut figures: HashMap<Block, Figures> = HashMap::new();
    for rate in RATES {
        for primary in [Primary::Refuses, Primary::Healthy] {
            for round in 1..=rounds {
                for way in Way::ALL {
                    eprintln!("{rate}/s, {primary:?}, {}, round {round} of {rounds}", way.as_str());
                    let cost = stand.block(way, primary, rate, rate * seconds).await?;
                    let sum = figures.entry((rate, primary, way)).or_default();
                    sum.asterisk_cpu += cost.asterisk_cpu;
                    sum.daemon_cpu += cost.daemon_cpu;
                    placed.push(((rate, primary, way), cost.numbers));
                }
            }
        }
    }
    let calls = moments(&capture.finish()?, stand.ports);
    for (block, numbers) in &placed {
        let sum = figures.entry(*block).or_default();
        numbers.iter().for_each(|number| sum.add(calls.get(number)));
    }
    if arguments.json {
        let rates: Vec<Value> = RATES.iter().map(|&rate| rate_json(rate, &figures)).collect();
        println!("{}", json!({ "asterisk": version.to_string(), "rates": rates }));
    }
    let table = table(version, &RATES, &figures);
    match arguments.json {
        true => eprint!("{table}"),
        false => print!("{table}"),
    }
    let all_answered = figures.values().all(|figures| figures.answered == figures.calls);
    if !all_answered {
        eprintln!("bench: some calls were not answered: the figures are of the others");
    }
    Ok(all_answered)
}

fn rate_json(rate: u32, figures: &HashMap<Block, Figures>) -> Value {
    let of = |primary| {
        let native = figures.get(&(rate, primary, Way::Native)).cloned().unwrap_or_default();
        let ways = Way::ALL.iter().filter_map(|&way| {
            let figures = figures.get(&(rate, primary, way))?;
            Some((way.as_str().to_owned(), figures.json(&native)))
        });
        ways.collect::<serde_json::Map<_, _>>()
    };
    let mut object = of(Primary::Refuses);
    object.insert("rate".to_owned(), json!(rate));
    object.insert("healthy_primary".to_owned(), Value::Object(of(Primary::Healthy)));
    Value::Object(object)
}

fn table(version: AsteriskVersion, rates: &[u32], figures: &HashMap<Block, Figures>) -> String {
    let mut text = format!(
        "\nAsterisk {version}\n{:>5} {:<9} {:<7} {:>9}  {:>26} {:>6}  {:>26}  {:>16} {:>6} {:>10}\n",
        "rate",
        "primary",
        "way",
        "answered",
        "gap p50/p90/p99 ms",
        "ratio",
        "PDD p50/p90/p99 ms",
        "Asterisk ms/call",
        "ratio",
        "daemon ms"
    );
    for &rate in rates {
        for primary in [Primary::Refuses, Primary::Healthy] {
            let native = figures.get(&(rate, primary, Way::Native));
            for way in Way::ALL {
                let Some(own) = figures.get(&(rate, primary, way)) else {
                    continue;
                };
                let three = |of: &dyn Fn(usize) -> Option<f64>| {
                    [50, 90, 99]
                        .map(|percent| of(percent).map_or("-".to_owned(), |ms| format!("{ms:.2}")))
                        .join(" / ")
                };
                let times = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
                let gap_ratio = ratio(own.gap_ms(50), native.and_then(|native| native.gap_ms(50)));
                let cpu_ratio = ratio(Some(own.asterisk_cpu_ms()), native.map(Figures::asterisk_cpu_ms));
                text.push_str(&format!(
                    "{rate:>5} {:<9} {:<7} {:>4}/{:<4}  {:>26} {:>6}  {:>26}  {:>16.2} {:>6} {:>10.2}\n",
                    format!("{primary:?}").to_lowercase(),
                    way.as_str(),
                    own.answered,
                    own.calls,
                    three(&|percent| own.gap_ms(percent)),
                    times(gap_ratio),
                    three(&|percent| own.delay_ms(percent)),
                    own.asterisk_cpu_ms(),
                    times(cpu_ratio),
                    own.daemon_cpu_ms(),
                ));
            }
        }
    }
    text
}
