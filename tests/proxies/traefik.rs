//! `deploy/traefik.yaml`, as far as a test without Traefik goes: it is whole, and every way to the backend asks first.
//!
//! Debian has no package of Traefik. Its documentation says that `authResponseHeadersRegex` also removes what the client
//! sent under names that match.

use yaml_rust2::{Yaml, YamlLoader};

fn names(list: &Yaml) -> Vec<&str> {
    list.as_vec()
        .into_iter()
        .flatten()
        .flat_map(Yaml::as_str)
        .collect()
}

#[test]
fn every_way_to_the_backend_asks_latchkey() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/traefik.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let documents = YamlLoader::load_from_str(&text).unwrap();
    let http = &documents[0]["http"];
    let mut guarded = 0;
    for (name, router) in http["routers"].as_hash().unwrap() {
        let service = router["service"].as_str().unwrap();
        let servers = &http["services"][service]["loadBalancer"]["servers"];
        assert!(servers[0]["url"].as_str().unwrap().starts_with("http://"));
        assert!(
            router["rule"]
                .as_str()
                .unwrap()
                .starts_with("Host(`app.example`)")
        );
        if service != "backend" {
            continue;
        }
        let asked = names(&router["middlewares"]);
        assert_eq!(asked.len(), 1, "{name:?}");
        let auth = &http["middlewares"][asked[0]]["forwardAuth"];
        let address = auth["address"].as_str().unwrap();
        assert!(
            address.starts_with("http://127.0.0.1:8080/api/verify"),
            "{address}"
        );
        assert_eq!(auth["trustForwardHeader"].as_bool(), Some(false));
        assert_eq!(
            auth["authResponseHeadersRegex"].as_str(),
            Some("(?i)^X[-_]Latchkey")
        );
        let known = ["address", "authResponseHeadersRegex", "trustForwardHeader"];
        let keys = auth.as_hash().unwrap().keys().flat_map(Yaml::as_str);
        assert!(keys.into_iter().all(|key| known.contains(&key)));
        guarded += 1;
    }
    assert_eq!(guarded, 2);
}
