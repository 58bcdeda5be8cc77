/** The DeviceManager of a page, which finds devices and shows panels to choose them. */
import { notSupported, type Page } from '../../api/index.ts';

/** The page's one DeviceManager. */
export function deviceManagerOf(_page: Page): object {
  throw notSupported('initDeviceManager');
}
