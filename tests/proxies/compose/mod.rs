//! `deploy/compose.yaml`: its rules, and its settings with real processes.
//!
//! No container runs here. The images of PostgreSQL, nginx and Mailpit are not what this tests.

mod database;
mod rules;
mod stack;
mod together;

use yaml_rust2::yaml::Hash;
use yaml_rust2::{Yaml, YamlLoader};

const INSTANCES: [&str; 2] = ["latchkey-1", "latchkey-2"];

pub fn text_of(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

/// The file, with its merge keys (`<<`) resolved, which yaml-rust2 leaves as they are.
pub struct Compose(Yaml);

impl Compose {
    pub fn read() -> Self {
        let text = text_of("deploy/compose.yaml");
        let documents = YamlLoader::load_from_str(&text).unwrap();
        assert_eq!(documents.len(), 1);
        Self(merged(&documents[0]))
    }

    pub fn services(&self) -> impl Iterator<Item = (&str, &Yaml)> {
        let services = self.0["services"].as_hash().unwrap().iter();
        services.map(|(name, service)| (name.as_str().unwrap(), service))
    }

    pub fn service(&self, name: &str) -> &Yaml {
        &self.0["services"][name]
    }

    pub fn environment(&self, service: &str) -> Vec<(String, String)> {
        let all = self.service(service)["environment"].as_hash();
        let text = |yaml: &Yaml| yaml.as_str().expect("quote what is no text").to_owned();
        let pairs = all.into_iter().flatten();
        pairs
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// In the network that nginx and the instances share.
    pub fn address(&self, service: &str) -> &str {
        let networks = &self.service(service)["networks"];
        networks["front"]["ipv4_address"].as_str().unwrap()
    }
}

pub fn strings(list: &Yaml) -> Vec<&str> {
    let items = list.as_vec().into_iter().flatten();
    items.map(|item| item.as_str().unwrap()).collect()
}

fn merged(yaml: &Yaml) -> Yaml {
    let Yaml::Hash(hash) = yaml else {
        return yaml.clone();
    };
    let merge_key = Yaml::String("<<".to_owned());
    let mut whole = Hash::new();
    if let Some(base) = hash.get(&merge_key) {
        let base = merged(base).into_hash().unwrap();
        whole.extend(base);
    }
    for (key, value) in hash {
        if *key != merge_key {
            whole.insert(key.clone(), merged(value));
        }
    }
    Yaml::Hash(whole)
}
