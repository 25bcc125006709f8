//! Reads the command line, the environment and the file `.env`, and explains what is wrong with them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use anyhow::bail;
use clap::builder::ArgPredicate;
use clap::error::ErrorKind;
use clap::{Arg, Command, Parser};

use crate::config::dotenv::DotEnv;

/// How alike a misspelt name and the right one are, at least. clap uses the same for options.
const ALIKE: f64 = 0.7;
const OURS: &str = "LATCHKEY_";

/// What there is to say about the settings once the log has begun.
pub struct Notes {
    /// The file that some came from.
    pub file: Option<String>,
    pub warnings: Vec<String>,
}

/// Ends the process if the arguments are wrong, or ask for help.
pub fn read<C: Parser>(arguments: &[OsString]) -> anyhow::Result<(C, Notes)> {
    let plain = C::command();
    let file =
        DotEnv::read(&std::env::current_dir().unwrap_or_default()).map_err(anyhow::Error::msg)?;
    let names = names(&plain);
    let used = names.iter().any(|name| file.get(name).is_some());
    refuse_both(&plain, &file)?;
    let environment = std::env::vars_os().filter(|(name, value)| !is_kubernetes(name, value));
    let environment = environment.map(|(name, _)| name.to_string_lossy().into_owned());
    let in_file = file.values.iter().map(|(name, _)| name.clone());
    let given: BTreeSet<String> = environment.chain(in_file).collect();
    let warnings = given.iter().filter_map(|name| misspelt(name, &names));
    let command = with_defaults(plain, &file);
    let parsed = command.clone().try_get_matches_from(arguments);
    let parsed = parsed.and_then(|matches| C::from_arg_matches(&matches));
    let parsed = parsed.unwrap_or_else(|error| explain(&error, command, arguments, &file));
    let warnings = warnings.collect();
    let file = file.path.filter(|_| used);
    let file = file.map(|path| path.display().to_string());
    Ok((parsed, Notes { file, warnings }))
}

/// The variables of all settings.
fn names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(variable);
    let below = command.get_subcommands().flat_map(names);
    own.chain(below).collect()
}

fn variable(argument: &Arg) -> Option<String> {
    let name = argument.get_env()?;
    Some(name.to_string_lossy().into_owned())
}

/// The settings of a command that exclude each other, both ways.
fn exclusive(command: &Command) -> Vec<(String, String)> {
    let all = command.get_arguments().flat_map(|one| {
        let others = command.get_arg_conflicts_with(one).into_iter();
        let pair = |other: &Arg| (one.get_id().to_string(), other.get_id().to_string());
        others.map(pair).collect::<Vec<_>>()
    });
    all.flat_map(|(one, other)| [(one.clone(), other.clone()), (other, one)])
        .collect()
}

/// In the environment, clap refuses both.
fn refuse_both(command: &Command, file: &DotEnv) -> anyhow::Result<()> {
    let name = |id: &str| {
        let argument = command.get_arguments().find(|one| one.get_id() == id);
        argument
            .and_then(variable)
            .filter(|name| file.get(name).is_some())
    };
    for (one, other) in exclusive(command) {
        if let (Some(one), Some(other)) = (name(&one), name(&other)) {
            bail!(".env sets both {one} and {other}: remove one");
        }
    }
    let mut below = command.get_subcommands();
    below.try_for_each(|command| refuse_both(command, file))
}

/// What `.env` sets becomes the default, which the environment and the command line override. Of two settings that
/// exclude each other, one that is set there beats the other in `.env`.
fn with_defaults(command: Command, file: &DotEnv) -> Command {
    let exclusive = exclusive(&command);
    let command = command.mut_args(|argument| {
        let set = variable(&argument).and_then(|name| file.get(&name));
        let Some(value) = set.map(str::to_owned) else {
            return argument;
        };
        let id = argument.get_id().to_string();
        let others = exclusive.iter().filter(|(one, _)| *one == id);
        let beaten =
            others.map(|(_, other)| (other.clone(), ArgPredicate::IsPresent, None::<&str>));
        // It may be a secret, or as long as a letter.
        let argument = argument.hide_default_value(true);
        argument.default_value_ifs(beaten).default_value(value)
    });
    command.mut_subcommands(|below| with_defaults(below, file))
}

/// What Kubernetes sets in every pod beside a service named latchkey.
fn is_kubernetes(name: &OsStr, value: &OsStr) -> bool {
    let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
    name.contains("_SERVICE_") || name.contains("_PORT_") || value.starts_with("tcp://")
}

fn misspelt(name: &str, names: &BTreeSet<String>) -> Option<String> {
    let ours = name.strip_prefix(OURS).filter(|_| !names.contains(name))?;
    if ours.is_empty() {
        return None;
    }
    let likeness = |right: &&String| {
        let right = right.strip_prefix(OURS).unwrap_or(right);
        strsim::jaro(ours, right)
    };
    let nearest = names
        .iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let nearest = nearest.filter(|nearest| likeness(nearest) >= ALIKE);
    let advice = nearest.map_or_else(
        || "latchkey serve --help lists all".to_owned(),
        |nearest| format!("did you mean {nearest}?"),
    );
    Some(format!("{name} is no setting of Latchkey: {advice}"))
}

/// Prints the error with the name under which the setting was given, and ends the process.
fn explain(error: &clap::Error, mut command: Command, arguments: &[OsString], file: &DotEnv) -> ! {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        error.exit();
    }
    let mut text = error.render().to_string();
    command.build();
    rename(&mut text, &command, arguments, file);
    eprint!("{text}");
    std::process::exit(error.exit_code());
}

fn rename(text: &mut String, command: &Command, arguments: &[OsString], file: &DotEnv) {
    for argument in command.get_arguments() {
        let (Some(name), Some(long)) = (variable(argument), argument.get_long()) else {
            continue;
        };
        let flag = format!("--{long}");
        let is_flag = |given: &OsString| {
            let given = given.to_string_lossy();
            given.split('=').next() == Some(&flag)
        };
        if arguments.iter().any(is_flag) {
            continue;
        }
        let from_file =
            std::env::vars_os().all(|(set, _)| set != *name) && file.get(&name).is_some();
        let shown = if from_file {
            format!("{name}' in '.env")
        } else {
            name
        };
        *text = text.replace(&format!("'{argument}'"), &format!("'{shown}'"));
    }
    for below in command.get_subcommands() {
        rename(text, below, arguments, file);
    }
}
