//! `crankback verdict table`: the tables as they are compiled in.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::output::{self, Answer};
use crate::verdict::{Conditions, Preset, Row, Rulebook, above};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only this one
    #[arg(value_enum)]
    table: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rules that stand above every table, in their order
    Above,
    /// What providers are known to mean otherwise
    Presets,
    /// Reason phrases, asked before the codes
    Phrases,
    /// Final SIP responses
    Sip,
    /// Q.850 causes, asked where no SIP response is known
    Q850,
}

/// What machines get: the tables that were asked for.
#[derive(Debug, Default, Serialize)]
struct View {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    above: Vec<RowView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    presets: Vec<PresetView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phrases: Vec<RowView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sip: Vec<RowView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    q850: Vec<RowView>,
}

#[derive(Debug, Serialize)]
struct RowView {
    rule: String,
    answers: String,
    #[serde(skip_serializing_if = "Conditions::is_empty")]
    when: Conditions,
    action: &'static str,
    without_repair: &'static str,
    health: &'static str,
    definitive: bool,
    name: String,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable: Option<String>,
}

#[derive(Debug, Serialize)]
struct PresetView {
    name: String,
    about: String,
    answers: Vec<AnswerView>,
}

#[derive(Debug, Serialize)]
struct AnswerView {
    answer: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definitive: Option<bool>,
}

pub(super) fn table(arguments: &Arguments) -> Answer {
    let wanted = |part| arguments.table.is_none_or(|only| only == part);
    let rules = Rulebook::built_in();
    let rows = |part, rows: &[Row]| match wanted(part) {
        true => rows.iter().map(row).collect(),
        false => Vec::new(),
    };
    let view = View {
        above: if wanted(Part::Above) {
            above::RULES.iter().map(rule_above).collect()
        } else {
            Vec::new()
        },
        presets: if wanted(Part::Presets) {
            rules.presets().map(preset).collect()
        } else {
            Vec::new()
        },
        phrases: rows(Part::Phrases, &rules.phrases),
        sip: rows(Part::Sip, &rules.sip),
        q850: rows(Part::Q850, &rules.q850),
    };
    let text = view.to_text();
    Answer::new(&view, text)
}

fn row(row: &Row) -> RowView {
    RowView {
        rule: row.id.to_string(),
        answers: row.answers.clone(),
        when: row.when.clone(),
        action: row.action.as_str(),
        without_repair: row.without_repair.as_str(),
        health: row.health.as_str(),
        definitive: row.definitive,
        name: row.name.clone(),
        why: row.why.to_string(),
        unreachable: row.unreachable.clone(),
    }
}

fn rule_above(rule: &above::Rule) -> RowView {
    RowView {
        rule: rule.id.to_owned(),
        answers: "any".to_owned(),
        when: Conditions::default(),
        action: rule.action.as_str(),
        without_repair: rule.action.as_str(),
        health: rule.health.as_str(),
        definitive: false,
        name: String::new(),
        why: rule.why.to_owned(),
        unreachable: None,
    }
}

fn preset(preset: &Preset) -> PresetView {
    let answers = preset.answers.iter().map(|it| AnswerView {
        answer: it.selector.to_string(),
        action: it.setting.action.as_str(),
        health: it.setting.health.map(|health| health.as_str()),
        definitive: it.setting.definitive,
    });
    PresetView {
        name: preset.name.clone(),
        about: preset.about.clone(),
        answers: answers.collect(),
    }
}

impl View {
    fn to_text(&self) -> String {
        let mut parts = Vec::new();
        for (title, rows) in [
            ("Above every table, in this order", &self.above),
            ("Reason phrases, before the codes", &self.phrases),
            ("Final SIP responses", &self.sip),
            ("Q.850 causes, where no SIP response is known", &self.q850),
        ] {
            if !rows.is_empty() {
                parts.push(format!("{title}\n\n{}", rows_text(rows)));
            }
        }
        if !self.presets.is_empty() {
            parts.push(format!("Presets of providers\n\n{}", presets_text(&self.presets)));
        }
        parts.join("\n\n")
    }
}

fn rows_text(rows: &[RowView]) -> String {
    let cells = rows.iter().map(|row| {
        let why = match &row.unreachable {
            Some(reason) => format!("{} [unreachable: {reason}]", row.why),
            None => row.why.clone(),
        };
        [
            row.rule.clone(),
            row.answers.clone(),
            row.when.to_string(),
            row.action.to_owned(),
            row.health.to_owned(),
            why,
        ]
    });
    output::table(["RULE", "ANSWERS", "WHEN", "ACTION", "HEALTH", "WHY"], cells)
}

fn presets_text(presets: &[PresetView]) -> String {
    let cells = presets.iter().flat_map(|preset| {
        preset.answers.iter().enumerate().map(|(place, it)| {
            [
                preset.name.clone(),
                it.answer.clone(),
                it.action.to_owned(),
                it.health.unwrap_or("-").to_owned(),
                if place == 0 {
                    preset.about.clone()
                } else {
                    String::new()
                },
            ]
        })
    });
    output::table(["PRESET", "ANSWERS", "ACTION", "HEALTH", "ABOUT"], cells)
}
