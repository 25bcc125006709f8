//! Finds which file of a crate names what in which other file, and the cycles among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Display};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree};

/// A path that a file names, resolved from the crate root.
pub struct Mention {
    pub from: String,
    pub line: usize,
    pub path: Vec<String>,
    /// The file of the longest module that the path starts with, and the length of that module's path. `None` for
    /// another crate or the file itself.
    pub to: Option<(String, usize)>,
    /// Within `#[cfg(test)]`.
    pub in_test: bool,
}

impl Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{} {}", self.from, self.line, self.path.join("::"))
    }
}

/// `http/mod.rs` is `http`, `http/wire/body.rs` is `http::wire::body`, `lib.rs` is the root.
fn module(file: &str) -> Vec<String> {
    let names = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let names = names.split('/').filter(|name| *name != "lib");
    names.map(ToOwned::to_owned).collect()
}

/// Everything that the files name: paths in `use`, in code, in attributes and in macro arguments.
pub fn mentions(crate_name: &str, files: &[(String, String)]) -> Vec<Mention> {
    let modules: BTreeMap<_, _> = files
        .iter()
        .map(|(name, _)| (module(name), name.clone()))
        .collect();
    let mut all = Vec::new();
    for (name, text) in files {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut reader = Reader {
            module: module(name),
            ..Reader::default()
        };
        reader.visit_file(&syntax);
        all.extend(reader.found.iter().map(|found| {
            let path = reader.written_out(found, &modules, crate_name);
            let to = path.as_ref().and_then(|path| home(path, &modules));
            Mention {
                from: name.clone(),
                line: found.line,
                path: path.unwrap_or_else(|| found.path.clone()),
                to: to.filter(|(file, _)| file != name),
                in_test: found.in_test,
            }
        }));
    }
    all
}

fn home(path: &[String], modules: &BTreeMap<Vec<String>, String>) -> Option<(String, usize)> {
    (0..=path.len())
        .rev()
        .find_map(|length| Some((modules.get(&path[..length])?.clone(), length)))
}

struct Found {
    /// The module that contains it.
    module: Vec<String>,
    path: Vec<String>,
    line: usize,
    in_test: bool,
}

#[derive(Default)]
struct Reader {
    module: Vec<String>,
    in_test: bool,
    found: Vec<Found>,
    /// Names that `use` imports.
    names: Vec<(String, usize)>,
}

impl Reader {
    fn note(&mut self, path: Vec<String>, span: Span) {
        self.found.push(Found {
            module: self.module.clone(),
            path,
            line: span.start().line,
            in_test: self.in_test,
        });
    }

    fn read_use(&mut self, tree: &UseTree, mut before: Vec<String>) {
        let (name, last, span) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                return self.read_use(&path.tree, before);
            }
            UseTree::Group(group) => {
                let each = |tree| self.read_use(tree, before.clone());
                return group.items.iter().for_each(each);
            }
            UseTree::Name(name) => (name.ident.to_string(), &name.ident, name.ident.span()),
            UseTree::Rename(rename) => {
                let name = rename.rename.to_string();
                (name, &rename.ident, rename.ident.span())
            }
            UseTree::Glob(glob) => {
                before.push("*".to_owned());
                return self.note(before, glob.star_token.span);
            }
        };
        let name = match (name.as_str(), before.last()) {
            ("self", Some(module)) => module.clone(),
            _ => name,
        };
        if last != "self" {
            before.push(last.to_string());
        }
        self.names.push((name, self.found.len()));
        self.note(before, span);
    }

    /// Finds `a::b::c` in macros and attributes, which are only tokens.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons, mut start) = (Vec::new(), 0, Span::call_site());
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) if colons == 2 || path.is_empty() => {
                    start = if path.is_empty() { ident.span() } else { start };
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(colon) if colon.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                _ => {}
            }
            self.note_path(std::mem::take(&mut path), start);
            colons = 0;
            match token {
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    start = ident.span();
                    path.push(ident.to_string());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        self.note_path(path, start);
    }

    /// A single name is local, or known from its `use`.
    fn note_path(&mut self, path: Vec<String>, span: Span) {
        if path.len() > 1 {
            self.note(path, span);
        }
    }

    /// Resolves a path from the crate root, if it is in this crate.
    fn written_out(
        &self,
        found: &Found,
        modules: &BTreeMap<Vec<String>, String>,
        crate_name: &str,
    ) -> Option<Vec<String>> {
        let (first, rest) = found.path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            name if name == crate_name => Vec::new(),
            "self" => found.module.clone(),
            "super" => found.module[..found.module.len() - 1].to_vec(),
            name => {
                let child = [&found.module[..], &[name.to_owned()]].concat();
                let used = |(known, at): &&(String, usize)| {
                    known == name && !std::ptr::eq(&raw const self.found[*at], found)
                };
                match self.names.iter().find(used) {
                    _ if modules.contains_key(&child) => child,
                    // `use a::a` would recurse forever.
                    Some((_, at)) if self.found[*at].path[0] != *name => {
                        self.written_out(&self.found[*at], modules, crate_name)?
                    }
                    _ => return None,
                }
            }
        };
        for name in rest {
            if name == "super" {
                base.pop();
            } else {
                base.push(name.clone());
            }
        }
        Some(base)
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    let test = |attribute: &Attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, Meta::List(list) if list.tokens.to_string() == "test")
    };
    attributes.iter().any(test)
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        let before = self.in_test;
        if let Item::Mod(ItemMod { attrs, .. }) = item {
            self.in_test |= is_for_tests(attrs);
        }
        visit::visit_item(self, item);
        self.in_test = before;
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.read_use(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names = path.segments.iter().map(|name| name.ident.to_string());
        self.note_path(names.collect(), path.segments[0].ident.span());
        visit::visit_path(self, path);
    }

    /// The arguments of macros and attributes.
    fn visit_token_stream(&mut self, tokens: &'a TokenStream) {
        self.read_tokens(tokens.clone());
    }
}

/// Files that depend on each other, directly or indirectly: the shortest cycle through each file, with the line of each
/// dependency.
pub fn cycles(mentions: &[Mention]) -> Vec<String> {
    let mut arrows: BTreeMap<&str, BTreeMap<&str, &Mention>> = BTreeMap::new();
    for mention in mentions {
        if let Some((to, _)) = &mention.to {
            let known = arrows.entry(&mention.from).or_default();
            known.entry(to).or_insert(mention);
        }
    }
    let ways = arrows.keys().filter_map(|start| way_round(start, &arrows));
    let mut seen = BTreeSet::new();
    let new = ways.filter(|way| seen.insert(way.iter().copied().collect::<BTreeSet<_>>()));
    new.map(|way| {
        let whole = [&way[..], &way[..1]].concat();
        let lines = whole
            .windows(2)
            .map(|two| format!("\n    {}", arrows[two[0]][two[1]]));
        whole.join(" -> ") + &lines.collect::<String>()
    })
    .collect()
}

/// The shortest cycle through a file.
fn way_round<'a>(
    start: &'a str,
    arrows: &BTreeMap<&'a str, BTreeMap<&'a str, &Mention>>,
) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for to in arrows.get(file).into_iter().flat_map(BTreeMap::keys) {
            if *to == start {
                let back = std::iter::successors(Some(file), |file| came_from.get(file).copied());
                let mut way: Vec<_> = back.collect();
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(to) {
                came_from.insert(to, file);
                next.push_back(to);
            }
        }
    }
    None
}
