/**
 * What a message is: its text, and the id that the facade has given it, by which every service knows it again.
 */
import { z } from 'zod';

const MAX_CHARACTERS = 4_000;

export const newMessage = z.strictObject({ msg: z.string().min(1).max(MAX_CHARACTERS) });
export const message = newMessage.extend({ id: z.uuid() });

export type Message = z.infer<typeof message>;

/** The newest of them that a service shows, and that a messages-service keeps. */
export const MAX_SHOWN = 5_000;
