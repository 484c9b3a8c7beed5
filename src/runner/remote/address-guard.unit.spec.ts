import { isPrivateAddress, refusePrivateHost } from './address-guard';

test.each([
  '127.0.0.1',
  '127.255.255.254',
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:a00:1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'fd00:ec2::254',
  'fe80::1',
  'ff02::1',
  'not an address',
])('%s is private', (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.0.1',
  '::ffff:8.8.8.8',
  '2606:4700::1111',
])('%s is not', (address) => {
  expect(isPrivateAddress(address)).toBe(false);
});

test.each([
  'http://127.1',
  'http://0177.0.0.1/x',
  'http://0x7f000001',
  'http://2130706433:80/',
  'http://0/',
  'http://[::1]:8080/',
  'http://[::ffff:7f00:1]/',
  'https://169.254.169.254/latest/meta-data',
])('%s is refused, however it is written', (url) => {
  expect(() => refusePrivateHost(new URL(url))).toThrow('--http-private-addresses allow');
});

test('a name is looked at when it is resolved, and a public address is let through', () => {
  refusePrivateHost(new URL('http://localhost/'));
  refusePrivateHost(new URL('http://1.1.1.1/'));
});
