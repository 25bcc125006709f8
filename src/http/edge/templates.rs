//! The route of a path, by a name that holds nothing of the path itself.

use std::collections::HashMap;

use actix_web::dev::ResourceDef;

/// Methods that a route has no handler for.
const OTHER: &str = "other";

pub struct Route {
    pub template: String,
    /// Its own methods, HEAD with GET, and at the end OPTIONS and one name for all others.
    pub methods: Vec<&'static str>,
}

/// Every route, and at the end two for paths without any: those at which there is a page, and all others.
pub struct Templates {
    routes: Vec<Route>,
    /// Paths without variables.
    exact: HashMap<String, usize>,
    patterns: Vec<(ResourceDef, usize)>,
    swagger: usize,
}

impl Templates {
    /// From paths and their methods.
    pub fn new(operations: &[(String, Vec<&'static str>)]) -> Self {
        let mut all = Self {
            routes: Vec::new(),
            exact: HashMap::new(),
            patterns: Vec::new(),
            swagger: operations.len(),
        };
        for (template, methods) in operations {
            let number = all.add(template, methods);
            if template.contains('{') {
                let pattern = ResourceDef::new(template.as_str());
                all.patterns.push((pattern, number));
            } else {
                all.exact.insert(template.clone(), number);
            }
        }
        all.swagger = all.add("/swagger-ui/{file}", &["GET"]);
        all.add("page", &["GET"]);
        all.add("none", &["GET", "POST"]);
        all
    }

    fn add(&mut self, template: &str, methods: &[&'static str]) -> usize {
        let mut methods = methods.to_vec();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.extend(["OPTIONS", OTHER]);
        self.routes.push(Route {
            template: template.to_owned(),
            methods,
        });
        self.routes.len() - 1
    }

    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The number of the route that a path has.
    pub fn find(&self, path: &str) -> usize {
        if let Some(number) = self.exact.get(path) {
            return *number;
        }
        let mut patterns = self.patterns.iter();
        match patterns.find(|(pattern, _)| pattern.is_match(path)) {
            Some((_, number)) => *number,
            None if path.starts_with("/swagger-ui") => self.swagger,
            None => self.none(),
        }
    }

    fn none(&self) -> usize {
        self.routes.len() - 1
    }

    /// The same place, once a page has answered there.
    pub fn with_page(&self, (route, method): (usize, usize)) -> (usize, usize) {
        if route != self.none() {
            return (route, method);
        }
        let page = route - 1;
        (page, self.method(page, self.names(route, method).1))
    }

    /// The number of a method at a route.
    pub fn method(&self, route: usize, method: &str) -> usize {
        let methods = &self.routes[route].methods;
        let known = methods.iter().position(|known| *known == method);
        known.unwrap_or(methods.len() - 1)
    }

    pub fn names(&self, route: usize, method: usize) -> (&str, &'static str) {
        let route = &self.routes[route];
        (&route.template, route.methods[method])
    }
}
