//! A unified diff of two texts, as `diff -u` prints it.

use std::fmt::Write;

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// More lines than this are not compared one with another: everything between the first and the last change is then replaced.
const COMPARED_AT_MOST: usize = 2_000;

/// A line, and on which side it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a str),
    Before(&'a str),
    After(&'a str),
}

/// The difference; empty where there is none.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    let lines = compare(&before, &after);
    let mut text = format!("--- {name}\n+++ {name}\n");
    for hunk in hunks(&lines) {
        write_hunk(&mut text, &lines, hunk);
    }
    text
}

/// All lines of both sides in order.
fn compare<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let same_at_start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let shorter = before.len().min(after.len()) - same_at_start;
    let same_at_end = before.iter().rev().zip(after.iter().rev()).take(shorter);
    let same_at_end = same_at_end.take_while(|(a, b)| a == b).count();
    let (start, rest) = before.split_at(same_at_start);
    let (changed, end) = rest.split_at(rest.len() - same_at_end);
    let became = &after[same_at_start..after.len() - same_at_end];

    let mut lines: Vec<Line<'a>> = start.iter().copied().map(Line::Both).collect();
    lines.extend(middle(changed, became));
    lines.extend(end.iter().copied().map(Line::Both));
    lines
}

/// The longest common part stays; the rest goes and comes.
fn middle<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let mut lines = Vec::with_capacity(before.len() + after.len());
    let (mut i, mut j) = (0, 0);
    if before.len().max(after.len()) <= COMPARED_AT_MOST {
        // How many lines the rests from (i, j) on have in common.
        let width = after.len() + 1;
        let mut common = vec![0_u32; (before.len() + 1) * width];
        for row in (0..before.len()).rev() {
            for column in (0..after.len()).rev() {
                common[row * width + column] = if before[row] == after[column] {
                    common[(row + 1) * width + column + 1] + 1
                } else {
                    common[(row + 1) * width + column].max(common[row * width + column + 1])
                };
            }
        }
        while i < before.len() && j < after.len() {
            if before[i] == after[j] {
                lines.push(Line::Both(before[i]));
                (i, j) = (i + 1, j + 1);
            } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
                lines.push(Line::Before(before[i]));
                i += 1;
            } else {
                lines.push(Line::After(after[j]));
                j += 1;
            }
        }
    }
    lines.extend(before[i..].iter().copied().map(Line::Before));
    lines.extend(after[j..].iter().copied().map(Line::After));
    lines
}

/// The ranges of lines that are shown.
fn hunks(lines: &[Line<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Both(_)))
    {
        let (start, end) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(lines.len()));
        match hunks.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            Some(_) | None => hunks.push(start..end),
        }
    }
    hunks
}

fn write_hunk(text: &mut String, lines: &[Line<'_>], hunk: std::ops::Range<usize>) {
    let is_before = |line: &&Line<'_>| !matches!(line, Line::After(_));
    let is_after = |line: &&Line<'_>| !matches!(line, Line::Before(_));
    let side = |is_on_side: &dyn Fn(&&Line<'_>) -> bool| {
        let earlier = lines[..hunk.start].iter().filter(is_on_side).count();
        let count = lines[hunk.clone()].iter().filter(is_on_side).count();
        // A side without lines is named by the line before.
        format!("{},{count}", if count == 0 { earlier } else { earlier + 1 })
    };
    let _never_fails = writeln!(text, "@@ -{} +{} @@", side(&is_before), side(&is_after));
    for line in &lines[hunk] {
        let (sign, line) = match line {
            Line::Both(line) => (' ', line),
            Line::Before(line) => ('-', line),
            Line::After(line) => ('+', line),
        };
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_the_lines_around_it() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let after = "1\n2\n3\n4\nfive\nmore\n6\n7\n8\n9\n";
        assert_eq!(
            unified("x", before, after),
            "--- x\n+++ x\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n+more\n 6\n 7\n 8\n"
        );
        assert_eq!(unified("x", before, before), "");
    }

    #[test]
    fn changes_that_are_far_apart_are_shown_apart() {
        let lines: Vec<String> = (0..30).map(|line| format!("{line}\n")).collect();
        let before = lines.concat();
        let after = before.replace("\n5\n", "\nfive\n").replace("\n25\n", "\n");
        let shown = unified("x", &before, &after);
        let headers: Vec<&str> = shown.lines().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(headers, ["@@ -3,7 +3,7 @@", "@@ -23,7 +23,6 @@"]);
    }

    #[test]
    fn the_end_of_the_last_line_is_told() {
        assert_eq!(
            unified("x", "", "a"),
            "--- x\n+++ x\n@@ -0,0 +1,1 @@\n+a\n\\ No newline at end of file\n"
        );
    }
}
