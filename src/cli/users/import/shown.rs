//! The report as people read it.

use std::fmt::Write;

use crate::auth::import::{Finding, Report, title};

pub fn text(report: &Report, strict: bool) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write_report(&mut text, report, strict);
    text
}

fn write_report(out: &mut String, report: &Report, strict: bool) -> std::fmt::Result {
    for finding in &report.findings {
        writeln!(out, "{}", line(finding, report.unit))?;
    }
    let told = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    if report.cannot_come > told {
        writeln!(out, "and {} more", report.cannot_come - told)?;
    }
    if told > 0 {
        writeln!(out)?;
    }
    let (come, cannot) = match report.written {
        true => ("came", "could not come"),
        false => ("would come", "cannot come"),
    };
    row(out, report.come, come)?;
    if report.renamed > 0 {
        row(out, report.renamed, "of them under another username")?;
    }
    if report.administrators > 0 {
        row(
            out,
            report.administrators,
            "of them as administrators (role admin)",
        )?;
    }
    row(out, report.here_already, "are here already")?;
    row(out, report.cannot_come, cannot)?;
    for (reason, count) in &report.reasons {
        row(out, *count, &format!("  {}", title(reason)))?;
    }
    hashes(out, report)?;
    if !report.unused_columns.is_empty() {
        let unused = report.unused_columns.join(", ");
        writeln!(out, "\nNot used: {unused}.")?;
    }
    write!(out, "\n{}", conclusion(report, strict))
}

/// `line 7: email: …`
pub fn line(finding: &Finding, unit: &str) -> String {
    let field = finding.field.as_ref();
    let field = field.map_or(String::new(), |field| format!("{field}: "));
    format!("{unit} {}: {field}{}", finding.line, finding.message)
}

fn row(out: &mut String, count: u64, what: &str) -> std::fmt::Result {
    writeln!(out, "{count:>9}  {what}")
}

fn hashes(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.come == 0 {
        return Ok(());
    }
    writeln!(out, "\nTheir hashes:")?;
    for (format, count) in &report.hashes {
        row(out, *count, format)?;
    }
    if report.without_password > 0 {
        let none = "no password: they choose one with \"forgot password\"";
        row(out, report.without_password, none)?;
    }
    if report.slower_hashes > 0 {
        writeln!(
            out,
            "\nFor {} of them a check takes longer than with Latchkey's own hashes. Until they log in for the first\n\
             time, a failing login can tell by its time that their account exists.",
            report.slower_hashes
        )?;
    }
    Ok(())
}

fn conclusion(report: &Report, strict: bool) -> &'static str {
    if report.come == 0 && report.cannot_come == 0 {
        return "Nobody new.";
    }
    match (report.written, report.cannot_come > 0, strict) {
        (true, false, _) => "Done.",
        (true, true, _) => "Done. Those who could not come were left out.",
        (false, true, true) => "Nothing is written. With --strict nobody comes until all can.",
        (false, true, false) => {
            "This was a dry run: nothing is written. Add --yes to import those who can come."
        }
        (false, false, _) => "This was a dry run: nothing is written. Add --yes to import them.",
    }
}
