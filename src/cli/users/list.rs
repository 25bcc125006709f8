//! `latchkey users list`.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::one::explain;
use super::shown::listed;
use crate::auth::administration::{self, Filter, Place};
use crate::auth::services::Services;
use crate::cli::done::Done;
use crate::domain::role::Role;
use crate::http::api::admin::query::{cursor_of, place_of};
use crate::store::directory::State;
use crate::store::users::User;

/// A page of the database's, which has little time for each.
const PAGE: usize = 1000;

#[derive(Args)]
pub struct ListArgs {
    /// How their username or address begins, in any case
    #[arg(long, value_name = "PREFIX")]
    search: Option<String>,
    /// Only those who have exactly this role
    #[arg(long, value_parser = parse_role)]
    role: Option<Role>,
    /// Only those who are active, disabled or unverified
    #[arg(long, value_parser = parse_state)]
    state: Option<State>,
    /// No more than so many
    #[arg(long, value_name = "USERS", value_parser = parse_limit)]
    limit: Option<usize>,
    /// Go on behind a page that --limit ended
    #[arg(long, value_name = "CURSOR", value_parser = parse_cursor)]
    after: Option<Place>,
}

/// With a limit or a cursor, JSON has the cursor of the next page beside the users.
pub async fn run(services: &Services, args: &ListArgs) -> anyhow::Result<Done> {
    let filter = Filter {
        prefix: args.search.clone().filter(|prefix| !prefix.is_empty()),
        role: args.role.clone(),
        state: args.state,
    };
    let most = args.limit.unwrap_or(usize::MAX);
    let (mut users, mut next): (Vec<User>, _) = (Vec::new(), args.after.clone());
    loop {
        let limit = PAGE.min(most - users.len());
        let page = administration::search(services, &filter, next.as_ref(), limit).await;
        let page = page.map_err(explain)?;
        users.extend(page.users.into_iter().map(|listed| listed.user));
        next = page.end;
        if next.is_none() || users.len() == most {
            break;
        }
    }
    let mut done = listed(&users);
    let next = next.as_ref().map(cursor_of);
    if let Some(next) = &next {
        done.text
            .push_str(&format!("\nThere are more: --after {next}"));
    }
    if args.limit.is_some() || args.after.is_some() {
        done.json = json!({"users": done.json, "next": next});
    }
    Ok(done)
}

fn parse_cursor(text: &str) -> Result<Place, &'static str> {
    place_of(text).ok_or("use the cursor that the page before ended with")
}

fn parse_role(text: &str) -> anyhow::Result<Role> {
    Role::to_grant(text).map_err(|error| anyhow!(error.message))
}

fn parse_state(text: &str) -> Result<State, &'static str> {
    text.parse()
        .map_err(|_| "use active, disabled or unverified")
}

fn parse_limit(text: &str) -> Result<usize, &'static str> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or("use a number above 0")
}
