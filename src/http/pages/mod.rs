//! Pages for people: Swagger UI, the reference page, a single-page app of yours. All but yours are in the binary.

pub mod demo;
pub mod front;
pub mod spa;
pub mod swagger;
