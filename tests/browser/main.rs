//! People at the pages of Latchkey, in a real Chromium: part of `cargo test`, which ignores them where there is none.
//!
//! From Debian: `chromium` and `chromium-driver`. What else some tests need, and where it is looked for, is in
//! `needs.rs`. With `TEST_BROWSER=required`, as in CI, whatever is missing fails the run.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot continue fails"
)]

mod authenticator;
mod browser;
mod driver;
mod hands;
mod house;
mod needs;
mod phone;
#[expect(dead_code, unused_imports, reason = "tests/api asks more of it")]
#[path = "../api/support/mod.rs"]
mod support;

mod account;
mod journey;
mod login;
mod looks;
mod mails;
mod passkeys;
mod providers;
mod react;
mod registering;
mod second_factor;
mod strangers;
mod tour;

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use needs::Need;

type Test = (Need, Trial);

/// The tests of a module, and what they need. One that is left out is dead code, of which the compiler warns.
#[macro_export]
macro_rules! tests {
    ($($need:expr => [$($test:ident),+ $(,)?])+) => {
        pub fn tests() -> Vec<$crate::Test> {
            vec![$($($crate::test($need, module_path!(), stringify!($test), async || $test().await)),+),+]
        }
    };
}

fn test(need: Need, module: &str, name: &str, test: impl AsyncFn() + Send + 'static) -> Test {
    let module = module.trim_start_matches("browser::");
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(test());
        Ok(())
    };
    (need, Trial::test(format!("{module}::{name}"), run))
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A Chromium has some ten processes.
    arguments.test_threads.get_or_insert(2);
    let (mut trials, mut ignored, mut lacking) = (Vec::new(), 0, BTreeSet::new());
    let tests = [
        journey::tests(),
        registering::tests(),
        login::tests(),
        mails::tests(),
        account::tests(),
        second_factor::tests(),
        passkeys::tests(),
        providers::tests(),
        strangers::tests(),
        looks::tests(),
        react::tests(),
    ];
    for (need, trial) in tests.into_iter().flatten() {
        let lacks = need.lacks();
        if let Some(what) = lacks
            && !arguments.is_filtered_out(&trial)
        {
            ignored += 1;
            lacking.insert(what);
        }
        trials.push(trial.with_ignored_flag(lacks.is_some()));
    }
    let lacking: Vec<_> = lacking.into_iter().collect();
    let lacking = lacking.join("; ");
    if needs::required() && ignored > 0 {
        eprintln!("tests/browser: {ignored} cannot run, for lack of {lacking}");
        return ExitCode::FAILURE;
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.num_ignored > 0 {
        eprintln!("tests/browser: {ignored} ignored, for lack of {lacking}");
    }
    conclusion.exit_code()
}
