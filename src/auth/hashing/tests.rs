//! The hashing threads and what they compute.

use std::sync::{Arc, Barrier};

use argon2::{Algorithm, Argon2, Version};
use prometheus_client::encoding::text::encode as encode_metrics;
use prometheus_client::registry::Registry;

use super::*;

const SALT: [u8; SALT_LEN] = *b"a set's own salt";

fn hasher(memory: u32, workers: usize, metrics: Metrics) -> Hasher {
    let params = Params::new(memory, 1, 1, Some(OUTPUT_LEN)).unwrap();
    Hasher::start(params, workers, metrics).unwrap()
}

fn code(text: &str) -> RecoveryCode {
    RecoveryCode::parse(text).unwrap()
}

async fn digest(hasher: &Hasher, of: &str, salt: [u8; SALT_LEN], params: &str) -> [u8; OUTPUT_LEN] {
    let params = HashParams::parse(params).unwrap();
    hasher.digest(&code(of), salt, params).await.unwrap()
}

#[tokio::test]
async fn a_panicking_job_does_not_kill_its_worker() {
    let hasher = hasher(64, 2, Metrics::default());
    for _ in 0..10 {
        let lost = hasher.run(|_| -> Result<()> { panic!("in a test") }).await;
        assert!(matches!(lost, Err(AuthError::Internal(_))));
    }
    let both = Arc::new(Barrier::new(2));
    let work = || {
        let both = both.clone();
        hasher.run(move |_| Ok(both.wait()))
    };
    // Two jobs that wait for each other: both workers must still be alive.
    let (one, other) = tokio::join!(work(), work());
    assert!(one.is_ok() && other.is_ok());
}

#[tokio::test]
async fn a_digest_is_argon2id_of_the_80_bits_with_the_salt_and_parameters_of_the_set() {
    let hasher = hasher(64, 1, Metrics::default());
    let found = digest(&hasher, "0123-4567-89ab-cdef", SALT, "m=128,t=2,p=1").await;
    let params = Params::new(128, 2, 1, None).unwrap();
    let mut expected = [0; OUTPUT_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(
            b"\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf",
            &SALT,
            &mut expected,
        )
        .unwrap();
    assert_eq!(found, expected);
    for (other, salt, params) in [
        ("1123-4567-89ab-cdef", SALT, "m=128,t=2,p=1"),
        ("0123-4567-89ab-cdef", [1; SALT_LEN], "m=128,t=2,p=1"),
        ("0123-4567-89ab-cdef", SALT, "m=128,t=1,p=1"),
        ("0123-4567-89ab-cdef", SALT, "m=136,t=2,p=1"),
        ("0123-4567-89ab-cdef", SALT, "m=128,t=2,p=2"),
    ] {
        assert_ne!(
            digest(&hasher, other, salt, params).await,
            expected,
            "{other} {params}"
        );
    }
}

/// The set keeps its parameters as text, whatever the operator's are by now, more or less.
#[tokio::test]
async fn a_set_stays_usable_when_the_operator_changes_the_parameters() {
    let before = hasher(256, 1, Metrics::default());
    let stored = before.current_params().to_string();
    assert_eq!(stored, "m=256,t=1,p=1");
    let made = digest(&before, "0123-4567-89ab-cdef", SALT, &stored).await;
    for memory in [64, 4096] {
        let after = hasher(memory, 1, Metrics::default());
        assert_ne!(after.current_params().to_string(), stored);
        // Between two hashes with the new ones, which leave their marks in the worker's buffer.
        for params in [after.current_params().to_string(), stored.clone()]
            .iter()
            .cycle()
            .take(4)
        {
            let found = digest(&after, "o123 4567 89AB CDEF", SALT, params).await;
            assert_eq!(found == made, *params == stored, "{memory} {params}");
        }
    }
}

#[tokio::test]
async fn digests_are_measured_and_wait_in_the_bounded_queue_with_passwords() {
    let mut registry = Registry::default();
    let hasher = hasher(64, 1, Metrics::register(&mut registry));
    digest(&hasher, "0123-4567-89ab-cdef", SALT, "m=64,t=1,p=1").await;
    let mut text = String::new();
    encode_metrics(&mut text, &registry).unwrap();
    assert!(text.contains("\nhash_seconds_count 1\n"), "{text}");
    assert!(text.contains("\nhash_wait_seconds_count 1\n"), "{text}");

    let (started, released) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (starts, release) = (started.clone(), released.clone());
    let held: Job = Box::new(move |_| {
        starts.wait();
        release.wait();
    });
    hasher.queue.send(held).unwrap();
    started.wait();
    while hasher.queue.try_send(Box::new(|_| ())).is_ok() {}
    let refused = hasher
        .digest(&code("0123-4567-89ab-cdef"), SALT, hasher.current_params())
        .await;
    released.wait();
    assert!(matches!(refused, Err(AuthError::Overloaded)));
}
