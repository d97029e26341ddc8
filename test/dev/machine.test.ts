// Recognising Debian and its derivatives by os-release(5).
import { expect, test } from 'vitest';

import { isDebianFamily } from '../../dev/services/machine.ts';

test.each([
  ['ID=debian', true],
  ['PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nID_LIKE=debian', true],
  ['ID=linuxmint\nID_LIKE="ubuntu debian"', true],
  ["ID='raspbian'\nID_LIKE='debian'", true],
  ['ID=fedora\nNAME="not debian"', false],
  ['ID=alpine\nHOME_URL="https://debian.org"', false],
  ['', false],
])('%j: %s', (osRelease, expected) => {
  expect(isDebianFamily(osRelease)).toBe(expected);
});
