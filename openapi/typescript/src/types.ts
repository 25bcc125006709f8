// What the OpenAPI document says of each operation: what goes in, what comes out, how it fails.
import type { components, operations } from "./schema.js";

export type Schemas = components["schemas"];
export type User = Schemas["User"];
export type Me = Schemas["Me"];
/** With what people prove who they are. */
export type Method = Schemas["MethodName"];
export type Code = Schemas["Code"];
export type FieldProblem = Schemas["FieldProblem"];

/** The id of an operation in the document, such as `"register"`. */
export type Operation = keyof operations;

type Values<T> = T[keyof T];
type Keys<T> = T extends T ? Extract<keyof T, string> : never;
type Json<T> = T extends { content: { "application/json": infer B } } ? NonNullable<B> : never;
type Refusal<T> = T extends { content: { "application/problem+json": { code: infer C } } } ? C : never;

export type Body<O extends Operation> = O extends O ? Json<operations[O]["requestBody"]> : never;
export type Query<O extends Operation> = O extends O ? NonNullable<operations[O]["parameters"]["query"]> : never;
export type Answer<O extends Operation> =
  [Json<Values<operations[O]["responses"]>>] extends [never] ? void : Json<Values<operations[O]["responses"]>>;

/** The codes with which an operation fails. */
export type CodeOf<O extends Operation> =
  Operation extends O ? Code : O extends O ? Refusal<Values<operations[O]["responses"]>> : never;

/** What is wrong with each field of an operation's body or query. */
export type FieldErrors<O extends Operation> = {
  readonly [Field in Keys<Body<O>> | Keys<Query<O>>]?: readonly [FieldProblem, ...FieldProblem[]];
};
