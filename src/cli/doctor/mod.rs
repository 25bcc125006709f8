//! `latchkey doctor`: calls a running server as a page's `fetch` does, and explains what a browser would allow.

use std::io::{Write, stdout};

use anyhow::bail;
use clap::Args;
use url::Url;

use crate::config::{Settings, Unrepeated, parse_site};
use browser::Browser;
use report::Report;

mod browser;
mod reach;
mod report;
mod rules;
mod trial;
mod visit;

#[derive(Args)]
pub struct DoctorArgs {
    /// Origin of your pages, as the browser shows it: https://app.example
    #[arg(long, value_name = "ORIGIN", value_parser = Unrepeated(parse_site))]
    origin: Url,

    /// URL at which browsers reach the server. The default is LATCHKEY_PUBLIC_URL
    #[arg(long, value_name = "URL", value_parser = Unrepeated(parse_site))]
    url: Option<Url>,

    #[command(flatten)]
    settings: Settings,
}

pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let public_url = &args.settings.server.public_url;
    let api = args.url.as_ref().unwrap_or(public_url);
    writeln!(
        stdout(),
        "A page of {} and Latchkey at {}:\n",
        args.origin.origin().ascii_serialization(),
        api.origin().ascii_serialization()
    )?;
    let mut report = Report::default();
    let mut browser = Browser::new(args.origin.clone(), api.clone());
    if reach::server_answers(&mut report, &browser)? {
        reach::page_may_ask(&mut report, &browser)?;
        reach::strangers_may_not(&mut report, &browser)?;
        trial::with_somebody(&args.settings, |user, password| {
            visit::log_in_and_out(&mut report, &mut browser, user, password)
        })?;
    }
    match report.failures {
        0 => Ok(writeln!(
            stdout(),
            "\nAll is well: people can log in from that page."
        )?),
        1 => bail!("one problem keeps people from logging in on that page"),
        n => bail!("{n} problems keep people from logging in on that page"),
    }
}
