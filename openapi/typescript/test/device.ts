// A browser's `navigator.credentials` with passkeys in software, which signs as WebAuthn says.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";

/** Of the server's own pages. */
const ORIGIN = `http://localhost:${new URL(process.env["LATCHKEY_URL"] ?? "").port}`;
const [PRESENT, VERIFIED, ATTESTED] = [1, 4, 64];

type Source = ArrayBuffer | ArrayBufferView;
const buffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
const bytes = (source: Source): Buffer =>
  ArrayBuffer.isView(source) ? Buffer.from(source.buffer, source.byteOffset, source.byteLength) : Buffer.from(source);
const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest();
const base64url = (of: Source) => bytes(of).toString("base64url");

export class Device {
  /** What people have on it. */
  readonly passkeys = new Map<string, { key: KeyObject; user: Buffer; rpId: string }>();
  /** What it was told: `signal…` and the facts. */
  readonly told: [string, Record<string, unknown>][] = [];
  /** What it was asked for: `create`, `get`, or `offer` for the autofill. */
  readonly asked: string[] = [];
  /** Whether its owner cancels. */
  cancels = false;
  /** How its credentials become JSON. */
  toJSON: "right" | "missing" | "throws" = "right";
  #offer: { options: PublicKeyCredentialRequestOptions; choose: (credential: object) => void } | undefined;

  /** Whether it offers passkeys in the autofill. */
  get offers(): boolean {
    return this.#offer !== undefined;
  }

  /** Its owner chooses one in the autofill. */
  choose(): void {
    const offer = this.#offer;
    if (!offer) throw new Error("nothing is offered");
    this.#offer = undefined;
    offer.choose(this.#sign(offer.options));
  }

  async create({ publicKey, signal }: CredentialCreationOptions): Promise<object> {
    this.#begin("create", signal);
    if (!publicKey) throw new TypeError("no options");
    if (publicKey.excludeCredentials?.some(({ id }) => this.passkeys.has(base64url(id)))) {
      throw new DOMException("It is here.", "InvalidStateError");
    }
    const { publicKey: half, privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const [id, rpId] = [randomBytes(32), publicKey.rp.id ?? ""];
    this.passkeys.set(id.toString("base64url"), { key, user: bytes(publicKey.user.id), rpId });
    const { x = "", y = "" } = half.export({ format: "jwk" });
    const cose = ["a5010203262001215820", Buffer.from(x, "base64url"), "225820", Buffer.from(y, "base64url")];
    const attested = this.#data(rpId, PRESENT | VERIFIED | ATTESTED, [Buffer.alloc(16, 0xab), "0020", id, ...cose]);
    // {"fmt": "none", "attStmt": {}, "authData": …}
    const head = "a363666d74646e6f6e656761747453746d74a068617574684461746158";
    const attestationObject = joined([head, Buffer.from([attested.length]), attested]);
    return this.#credential(id, {
      clientDataJSON: this.#says("webauthn.create", publicKey.challenge),
      attestationObject,
    });
  }

  async get({ publicKey, mediation, signal }: CredentialRequestOptions): Promise<object> {
    if (!publicKey) throw new TypeError("no options");
    if (mediation !== "conditional") {
      this.#begin("get", signal);
      return this.#sign(publicKey);
    }
    this.#begin("offer", signal);
    return new Promise((choose, fail) => {
      this.#offer = { options: publicKey, choose };
      signal?.addEventListener("abort", () => {
        this.#offer = undefined;
        fail(signal.reason);
      });
    });
  }

  #begin(what: string, signal: AbortSignal | undefined): void {
    this.asked.push(what);
    signal?.throwIfAborted();
    if (this.#offer) throw new DOMException("A request is already pending.", "OperationError");
    if (this.cancels && what !== "offer") throw new DOMException("The user has cancelled.", "NotAllowedError");
  }

  #sign({ allowCredentials = [], challenge, rpId = "" }: PublicKeyCredentialRequestOptions): object {
    const allowed = allowCredentials.map(({ id }) => base64url(id));
    const here = [...this.passkeys].filter(([id, one]) => one.rpId === rpId && (!allowed[0] || allowed.includes(id)));
    const [id, passkey] = here.at(-1) ?? [];
    if (!id || !passkey) throw new DOMException("There is none.", "NotAllowedError");
    const authenticatorData = this.#data(rpId, PRESENT | VERIFIED, []);
    const clientDataJSON = this.#says("webauthn.get", challenge);
    const signature = sign("sha256", joined([authenticatorData, sha256(clientDataJSON)]), passkey.key);
    const { user: userHandle } = passkey;
    const id_ = Buffer.from(id, "base64url");
    return this.#credential(id_, { clientDataJSON, authenticatorData, signature, userHandle });
  }

  #says(type: string, challenge: Source): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge: base64url(challenge), origin: ORIGIN, crossOrigin: false }));
  }

  /** Its counter stays zero, as that of synced passkeys does. */
  #data(rpId: string, flags: number, attested: (string | Buffer)[]): Buffer {
    return joined([sha256(rpId), Buffer.from([flags]), "00000000", ...attested]);
  }

  #credential(id: Buffer, fields: Record<string, Buffer>): object {
    const texts = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, base64url(value)]));
    const buffers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, buffer(value)]));
    const getTransports = () => ["internal", "hybrid"];
    const isMade = "attestationObject" in fields;
    const what = { id: base64url(id), type: "public-key", authenticatorAttachment: "platform" };
    const toJSON = () => {
      if (this.toJSON === "throws") throw new TypeError("Illegal invocation");
      const response = { ...texts, ...(isMade && { transports: getTransports() }) };
      return { ...what, rawId: what.id, response, clientExtensionResults: {} };
    };
    return {
      ...what,
      rawId: buffer(id),
      response: { ...buffers, ...(isMade && { getTransports }) },
      getClientExtensionResults: () => ({}),
      ...(this.toJSON !== "missing" && { toJSON }),
    };
  }
}

const joined = (parts: (string | Buffer)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : part)));

type Descriptor = { id: string };
const decoded = (text: string) => buffer(Buffer.from(text, "base64url"));
const list = (of?: Descriptor[]) => of?.map((one) => ({ ...one, id: decoded(one.id) })) ?? [];

/** What a browser has beside `navigator.credentials`. */
export function publicKeyCredential(device: Device) {
  const tell = (signal: string) => async (facts: Record<string, unknown>) => void device.told.push([signal, facts]);
  return {
    isConditionalMediationAvailable: async () => true,
    parseCreationOptionsFromJSON: (json: PublicKeyCredentialCreationOptionsJSON) => ({
      ...json,
      challenge: decoded(json.challenge),
      user: { ...json.user, id: decoded(json.user.id) },
      excludeCredentials: list(json.excludeCredentials),
    }),
    parseRequestOptionsFromJSON: (json: PublicKeyCredentialRequestOptionsJSON) => ({
      ...json,
      challenge: decoded(json.challenge),
      allowCredentials: list(json.allowCredentials),
    }),
    signalUnknownCredential: tell("signalUnknownCredential"),
    signalAllAcceptedCredentials: tell("signalAllAcceptedCredentials"),
    signalCurrentUserDetails: tell("signalCurrentUserDetails"),
  };
}

/** Puts a device into this process, as if it were a browser. Before a client is made. */
export function plugIn(device = new Device(), without: (keyof ReturnType<typeof publicKeyCredential>)[] = []): Device {
  const others = publicKeyCredential(device);
  for (const name of without) delete (others as Partial<typeof others>)[name];
  for (const [name, value] of Object.entries({ navigator: { credentials: device }, PublicKeyCredential: others })) {
    // Newer versions of Node have a navigator that cannot be assigned.
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  return device;
}
