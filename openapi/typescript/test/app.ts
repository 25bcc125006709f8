// An authenticator app (RFC 6238).
import { createHmac } from "node:crypto";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export class App {
  readonly #key: Buffer;
  #last = 0;

  constructor(secret: string) {
    const bits = [...secret].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, "0")).join("");
    this.#key = Buffer.from(bits.match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? []);
  }

  /**
   * Each works once: the last one, this one and the next one are taken before anybody has to wait. The last one not in
   * its last seconds, in which it would arrive too late.
   */
  code(): string {
    this.#last = Math.max(this.#last + 1, Math.floor((Date.now() + 3_000) / 30_000) - 1);
    return this.#at(this.#last);
  }

  /** One that is neither now nor soon. */
  wrong(): string {
    const now = Math.floor(Date.now() / 30_000);
    const near = [-2, -1, 0, 1, 2].map((step) => this.#at(now + step));
    return ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !near.includes(code)) ?? "";
  }

  #at(step: number): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", this.#key).update(counter).digest();
    const number = mac.readUInt32BE((mac[19] ?? 0) & 15) & 0x7fff_ffff;
    return String(number % 1_000_000).padStart(6, "0");
  }
}
