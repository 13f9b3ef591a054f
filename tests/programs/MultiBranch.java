// MultiBranch: an echo server on an SctpMultiChannel that branches each association off by itself and
// serves the branches with a selector. It knows nothing of sctpeel. Standard output says what happens
// to associations.

import com.sun.nio.sctp.AbstractNotificationHandler;
import com.sun.nio.sctp.Association;
import com.sun.nio.sctp.AssociationChangeNotification;
import com.sun.nio.sctp.AssociationChangeNotification.AssocChangeEvent;
import com.sun.nio.sctp.HandlerResult;
import com.sun.nio.sctp.MessageInfo;
import com.sun.nio.sctp.SctpChannel;
import com.sun.nio.sctp.SctpMultiChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;

public final class MultiBranch {
	private static final class Log extends AbstractNotificationHandler<Void> {
		private Association up;
		private boolean down;

		@Override
		public HandlerResult handleNotification(AssociationChangeNotification n, Void nothing) {
			System.out.println(n.event() + " " + n.association().associationID());
			if (n.event() == AssocChangeEvent.COMM_UP)
				up = n.association();
			down = n.event() == AssocChangeEvent.SHUTDOWN;
			return HandlerResult.RETURN;
		}
	}

	private final SctpMultiChannel channel = SctpMultiChannel.open();
	private final Selector selector = Selector.open();
	private final ByteBuffer buffer = ByteBuffer.allocateDirect(65536);
	private final Log log = new Log();

	private MultiBranch(int port) throws IOException {
		channel.bind(new InetSocketAddress(port), 100);
		channel.configureBlocking(false);
		channel.register(selector, SelectionKey.OP_READ);
	}

	private static MessageInfo answer(MessageInfo in, MessageInfo out) {
		out.payloadProtocolID(in.payloadProtocolID());
		out.unordered(in.isUnordered());
		return out;
	}

	// The first messages of an association may still come here.
	private void serveShared() throws IOException {
		MessageInfo in;

		while ((in = channel.receive(buffer, null, log)) != null || log.up != null) {
			if (in != null && in.isComplete()) {
				MessageInfo out = answer(in, MessageInfo.createOutgoing(in.association(), null,
					in.streamNumber()));
				buffer.flip();
				while (channel.send(buffer, out) == 0)
					Thread.onSpinWait();
				buffer.clear();
			}
			if (log.up != null) {
				SctpChannel branch = channel.branch(log.up);
				log.up = null;
				branch.configureBlocking(false);
				branch.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(65536));
			}
		}
	}

	private void serveBranch(SctpChannel branch, ByteBuffer message) throws IOException {
		MessageInfo in;

		log.down = false;
		while ((in = branch.receive(message, null, log)) != null) {
			if (!in.isComplete())
				continue;
			MessageInfo out = answer(in, MessageInfo.createOutgoing(null, in.streamNumber()));
			message.flip();
			while (branch.send(message, out) == 0)
				Thread.onSpinWait();
			message.clear();
		}
		if (log.down)
			branch.close();
	}

	private void run() throws IOException {
		System.out.println("ready");
		for (;;) {
			selector.select();
			for (SelectionKey key : selector.selectedKeys()) {
				SelectableChannel ready = key.channel();
				if (ready == channel)
					serveShared();
				else
					serveBranch((SctpChannel) ready, (ByteBuffer) key.attachment());
			}
			selector.selectedKeys().clear();
		}
	}

	public static void main(String[] arguments) throws IOException {
		if (arguments.length != 1) {
			System.err.println("usage: MultiBranch PORT");
			System.exit(2);
		}
		new MultiBranch(Integer.parseInt(arguments[0])).run();
	}
}
