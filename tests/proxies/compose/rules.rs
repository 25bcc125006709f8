//! What must be so in `deploy/compose.yaml`, whatever else changes.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use yaml_rust2::Yaml;

use super::{Compose, INSTANCES, strings, text_of};

/// The keys that the file uses. Compose refuses others, and a new one is checked by hand against its schema.
const KNOWN: &str = "restart read_only cap_drop security_opt image build environment secrets stop_grace_period \
    depends_on networks user tmpfs volumes ports healthcheck shm_size";

#[test]
fn every_service_is_pinned_hardened_and_watched() {
    let compose = Compose::read();
    let known: HashSet<_> = KNOWN.split_whitespace().collect();
    let mut count = 0;
    for (name, service) in compose.services() {
        for key in service.as_hash().unwrap().keys().flat_map(Yaml::as_str) {
            assert!(known.contains(key), "{name}: {key}");
        }
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
        assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
        let options = strings(&service["security_opt"]);
        assert_eq!(options, ["no-new-privileges:true"], "{name}");
        assert_eq!(service["restart"].as_str(), Some("unless-stopped"));
        let is_ours = INSTANCES.contains(&name);
        let image = service["image"].as_str().unwrap();
        let pinned = image.split_once(':').is_some_and(|(_, tag)| {
            let tag = tag.trim_start_matches('v');
            tag.starts_with(|c: char| c.is_ascii_digit())
        });
        assert_eq!(pinned, !is_ours, "{name}: {image}");
        assert_eq!(!service["build"].is_badvalue(), is_ours, "{name}");
        assert_eq!(!service["user"].is_badvalue(), !is_ours, "{name}");
        assert_ne!(service["user"].as_str(), Some("root"), "{name}");
        let watched = strings(&service["healthcheck"]["test"]).len() > 1;
        assert_eq!(watched, !is_ours, "{name}");
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        count += 1;
    }
    assert_eq!(count, 5);
    // What the instances have from their image.
    let build = &compose.service(INSTANCES[0])["build"];
    assert_eq!(build["context"].as_str(), Some(".."));
    let image = text_of(build["dockerfile"].as_str().unwrap());
    for line in [
        "USER 65532:65532",
        "STOPSIGNAL SIGTERM",
        "CMD [\"/usr/local/bin/latchkey\", \"health\"]",
    ] {
        assert!(image.contains(line), "{line}");
    }
}

#[test]
fn no_secret_is_in_the_file_and_each_is_given_only_to_who_needs_it() {
    let compose = Compose::read();
    let declared = compose.0["secrets"].as_hash().unwrap();
    let mut used = HashSet::new();
    for (name, service) in compose.services() {
        let given = strings(&service["secrets"]);
        for (variable, value) in compose.environment(name) {
            let upper = variable.to_uppercase();
            let secret = ["SECRET", "PASSWORD", "TOKEN", "DATABASE_URL"];
            if secret.iter().any(|word| upper.contains(word)) {
                assert!(variable.ends_with("_FILE"), "{variable}");
                let file = value.strip_prefix("/run/secrets/").unwrap();
                assert!(given.contains(&file), "{name}: {file}");
            }
            assert!(!value.contains('@'), "{variable}: a login in a URL");
        }
        used.extend(given);
    }
    for (name, secret) in declared {
        let name = name.as_str().unwrap();
        let file = secret["file"].as_str().unwrap();
        assert_eq!(file, format!("./secrets/{name}"));
        assert!(used.remove(name), "{name} is used");
    }
    assert!(used.is_empty(), "not declared: {used:?}");
    let ignored = text_of("deploy/.gitignore");
    assert!(ignored.lines().any(|line| line == "/secrets"));
}

#[test]
fn the_instances_differ_in_their_address_only_and_start_after_what_they_need() {
    let compose = Compose::read();
    let but_address = |name: &str| {
        let mut service = compose.service(name).as_hash().unwrap().clone();
        service.remove(&Yaml::String("networks".to_owned()));
        service
    };
    assert_eq!(but_address(INSTANCES[0]), but_address(INSTANCES[1]));
    let names: Vec<_> = compose.services().map(|(name, _)| name).collect();
    let mut waits = 0;
    for (name, service) in compose.services() {
        for (other, how) in service["depends_on"].as_hash().into_iter().flatten() {
            assert!(names.contains(&other.as_str().unwrap()), "{name}");
            assert_eq!(how["condition"].as_str(), Some("service_healthy"));
            waits += 1;
        }
    }
    assert_eq!(waits, 6);
    assert_eq!(
        compose.0["networks"]["database"]["internal"].as_bool(),
        Some(true)
    );
    for outside in ["nginx", "mailpit"] {
        let networks = &compose.service(outside)["networks"];
        assert!(networks["database"].is_badvalue() && !strings(networks).contains(&"database"));
    }
}

#[test]
fn nginx_asks_both_instances_and_alone_is_believed() {
    let compose = Compose::read();
    let subnet = &compose.0["networks"]["front"]["ipam"]["config"][0]["subnet"];
    let subnet: IpNet = subnet.as_str().unwrap().parse().unwrap();
    let mut addresses = HashSet::new();
    for name in ["latchkey-1", "latchkey-2", "nginx"] {
        let address: IpAddr = compose.address(name).parse().unwrap();
        assert!(subnet.contains(&address) && addresses.insert(address));
    }
    let environment = compose.environment(INSTANCES[0]);
    let of = |wanted: &str| {
        let mut all = environment.iter();
        all.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
    };
    assert_eq!(
        of("LATCHKEY_TRUSTED_PROXIES"),
        Some(compose.address("nginx"))
    );
    let nginx = text_of("deploy/compose/nginx.conf");
    let asked: Vec<_> = nginx
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server "))
        .filter_map(|rest| rest.split_once(":8080"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(asked, INSTANCES);
    let port = of("LATCHKEY_PUBLIC_URL").and_then(|url| url.strip_prefix("https://localhost:"));
    let port = port.unwrap();
    assert!(nginx.contains(&format!("listen {port} ssl;")));
    let published = strings(&compose.service("nginx")["ports"]);
    assert_eq!(published, [format!("127.0.0.1:{port}:{port}")]);
}
