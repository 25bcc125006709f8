//! `latchkey doctor`: calls a running server as a page's `fetch` does, explains what a browser would allow, and visits
//! the mail server.

use std::io::{Write, stdout};

use anyhow::bail;
use clap::{Arg, Args};
use tokio::runtime::Runtime;
use url::Url;

use crate::config::{Settings, Unrepeated, parse_page};
use browser::Browser;
use report::Report;

mod browser;
mod mail;
mod passkeys;
mod providers;
mod reach;
mod report;
mod rules;
mod trial;
mod visit;

#[derive(Args)]
pub struct DoctorArgs {
    /// Origin of your pages, as the browser shows it: https://app.example, or localhost:5173
    #[arg(long, value_name = "ORIGIN", value_parser = Unrepeated(parse_page))]
    origin: Url,

    /// URL at which browsers reach the server. The default is LATCHKEY_PUBLIC_URL
    #[arg(long, value_name = "URL", value_parser = Unrepeated(parse_page))]
    url: Option<Url>,

    #[command(flatten)]
    settings: Settings,
}

/// The settings of the server are not the doctor's own: its `--help` does not list them.
pub fn hide_settings(argument: Arg) -> Arg {
    let is_setting = argument.get_env().is_some();
    argument.hide(is_setting)
}

pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let public_url = args.settings.server.public_url();
    let api = args.url.as_ref().unwrap_or(&public_url);
    writeln!(
        stdout(),
        "A page of {} and Latchkey at {}:\n",
        args.origin.origin().ascii_serialization(),
        api.origin().ascii_serialization()
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut report = Report::default();
    let page = check_page(&mut report, &runtime, &args.settings, &args.origin, api);
    let problems = report.failures;
    let mails_leave = mail::mails_can_leave(&mut report, &runtime, &args.settings)?;
    page?;
    conclude(problems, mails_leave)
}

fn check_page(
    report: &mut Report,
    runtime: &Runtime,
    settings: &Settings,
    origin: &Url,
    api: &Url,
) -> anyhow::Result<()> {
    let mut browser = Browser::new(origin.clone(), api.clone());
    if !reach::server_answers(report, &browser)? {
        return Ok(());
    }
    reach::page_may_ask(report, &browser)?;
    reach::strangers_may_not(report, &browser)?;
    passkeys::page_can_use_them(report, settings, origin)?;
    providers::each_answers(report, runtime, settings)?;
    let tried = trial::with_somebody(runtime, settings, |services, user, password| {
        visit::log_in_and_out(report, &mut browser, user, password)?;
        if let Ok(domain) = settings.passkeys() {
            passkeys::some_are_lost(report, runtime, services, &domain)?;
        }
        Ok(())
    });
    if let Err(error) = tried {
        report.bad(
            &format!("The trial login failed: {error:#}."),
            "run the doctor with the settings of the server (DATABASE_URL or LATCHKEY_DATA_DIR)",
        )?;
    }
    Ok(())
}

/// `problems` are those of the page.
fn conclude(problems: usize, mails_leave: bool) -> anyhow::Result<()> {
    let mails = if mails_leave {
        ""
    } else {
        ", and no mail leaves"
    };
    match problems {
        0 if mails_leave => Ok(writeln!(
            stdout(),
            "\nAll is well: people can log in from that page."
        )?),
        0 => bail!("people can log in from that page, but no mail leaves"),
        1 => bail!("one problem keeps people from logging in on that page{mails}"),
        n => bail!("{n} problems keep people from logging in on that page{mails}"),
    }
}
