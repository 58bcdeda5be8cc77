/** The DeviceManager of a page, which finds devices and shows panels to choose them. */
import { Emitter, queueEvent, type Page } from '../../api/index.ts';
import { logger } from '../../logger.ts';
import { flag, type Properties } from '../../options.ts';
import { detect } from './device-list.ts';
import { DevicePanel, type DeviceUser } from './device-panel.ts';
import { misuse } from './exceptions.ts';

export class DeviceManager extends Emitter {
  /** What panels show unless their properties say otherwise. */
  showMicSettings = true;
  showCamSettings = true;
  readonly #page: Page;
  readonly #panels = new Map<DeviceUser | null, DevicePanel>();

  constructor(page: Page) {
    super(page.era);
    this.#page = page;
  }

  /** Leads to `devicesDetected`. Statuses are unknown until the user has allowed access. */
  detectDevices(): void {
    const [user] = this.#users();
    void detect(user?._tracksInUse()).then((event) => {
      queueEvent(this, event);
    });
  }

  /**
   * `([replaceElementId [, component [, properties]]])`: a panel in that element, or floating; for that Publisher or
   * Recorder, or for all. There is one for each component: the next call gives the same. Throws for an absent element.
   */
  displayPanel(replaceElementId?: unknown, component?: unknown, properties?: unknown): DevicePanel {
    const user = component === undefined || component === null ? null : component;
    if (user !== null && !isDeviceUser(user))
      throw misuse('DeviceManager', 'displayPanel', 'the component is a Publisher or a Recorder');
    const known = this.#panels.get(user);
    if (known !== undefined) {
      logger.warn('displayPanel() has no effect: there is a panel for this component.');
      return known;
    }
    const place = placeOf(replaceElementId);
    const wished = (typeof properties === 'object' && properties !== null ? properties : {}) as Properties;
    const zIndex = Number(wished['zIndex'] ?? Number.NaN);
    const id = `displayPanel_${user === null ? 'global' : (user.id ?? '')}`;
    const users = user === null ? () => this.#users() : () => [user];
    const panel = new DevicePanel(this.#page, id, user, users, place, {
      showCloseButton: flag(wished['showCloseButton'], true),
      showMicSettings: flag(wished['showMicSettings'], this.showMicSettings),
      showCamSettings: flag(wished['showCamSettings'], this.showCamSettings),
      zIndex: Number.isNaN(zIndex) ? undefined : zIndex,
    });
    panel.onClose = () => {
      if (this.#panels.get(user) === panel) this.removePanel(panel);
    };
    this.#panels.set(user, panel);
    return panel;
  }

  /** Throws for what is no panel, and for one that is not in the page. */
  removePanel(panel?: unknown): void {
    if (!(panel instanceof DevicePanel) || this.#panels.get(panel.component) !== panel)
      throw misuse('DeviceManager', 'removePanel', 'a DevicePanel that is in the page is required');
    this.#panels.delete(panel.component);
    panel._remove();
  }

  /** What the panel was for has ended. The library's own. */
  _closePanelOf(component: DeviceUser): void {
    const panel = this.#panels.get(component);
    if (panel !== undefined) this.removePanel(panel);
  }

  #users(): readonly DeviceUser[] {
    const all: readonly unknown[] = [...this.#page.publishers];
    return all.filter(isDeviceUser);
  }
}

const managers = new WeakMap<Page, DeviceManager>();

/** The page's one DeviceManager. */
export function deviceManagerOf(page: Page): DeviceManager {
  const known = managers.get(page);
  if (known !== undefined) return known;
  const made = new DeviceManager(page);
  managers.set(page, made);
  return made;
}

function isDeviceUser(thing: unknown): thing is DeviceUser {
  return typeof thing === 'object' && thing !== null && '_use' in thing && '_tracksInUse' in thing;
}

function placeOf(replaceElementId: unknown): HTMLElement | null {
  if (replaceElementId === undefined || replaceElementId === null || replaceElementId === '') return null;
  const found =
    replaceElementId instanceof HTMLElement ? replaceElementId : document.getElementById(String(replaceElementId));
  if (found === null)
    throw misuse('DeviceManager', 'displayPanel', `there is no element with the id "${String(replaceElementId)}"`);
  return found;
}
