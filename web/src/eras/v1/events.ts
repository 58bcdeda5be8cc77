/** Event objects that only the first era has. */
import { Event } from '../../api/index.ts';

/** How loud a stream is, from 0 to 10. */
export class VolumeEvent extends Event {
  /** The documentation spelled it so, its example and the builds did not. */
  readonly streamID: string;

  constructor(
    type: 'microphoneLevelChanged',
    readonly streamId: string,
    readonly volume: number,
  ) {
    super(type);
    this.streamID = streamId;
  }
}
