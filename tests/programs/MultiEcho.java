// MultiEcho: an echo server on one SctpMultiChannel, blocking or with a selector. With a FIFO another
// thread closes the channel when a byte comes there.
// It knows nothing of sctpeel. Standard output says what happens to associations.

import com.sun.nio.sctp.AbstractNotificationHandler;
import com.sun.nio.sctp.AssociationChangeNotification;
import com.sun.nio.sctp.HandlerResult;
import com.sun.nio.sctp.MessageInfo;
import com.sun.nio.sctp.Notification;
import com.sun.nio.sctp.SctpMultiChannel;
import com.sun.nio.sctp.ShutdownNotification;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;

public final class MultiEcho {
	private static final class Log extends AbstractNotificationHandler<Void> {
		@Override
		public HandlerResult handleNotification(AssociationChangeNotification n, Void nothing) {
			System.out.println(n.event() + " " + n.association().associationID());
			return HandlerResult.RETURN;
		}

		@Override
		public HandlerResult handleNotification(ShutdownNotification n, Void nothing) {
			return HandlerResult.RETURN;
		}

		@Override
		public HandlerResult handleNotification(Notification n, Void nothing) {
			System.out.println("unexpected " + n);
			return HandlerResult.RETURN;
		}
	}

	private final SctpMultiChannel channel = SctpMultiChannel.open();
	private final ByteBuffer buffer = ByteBuffer.allocateDirect(65536);
	private final Log log = new Log();

	private MultiEcho(int port) throws IOException {
		channel.bind(new InetSocketAddress(port), 100);
	}

	// Takes one message or notification; false if there was nothing (not blocking).
	private boolean echoOne() throws IOException {
		MessageInfo in = channel.receive(buffer, null, log);
		if (in == null)
			return false;
		if (!in.isComplete())
			return true;
		buffer.flip();
		MessageInfo out = MessageInfo.createOutgoing(in.association(), null, in.streamNumber());
		out.payloadProtocolID(in.payloadProtocolID());
		out.unordered(in.isUnordered());
		if (channel.send(buffer, out) == 0) {
			try (Selector room = Selector.open()) {
				SelectionKey key = channel.register(room, SelectionKey.OP_WRITE);
				while (channel.send(buffer, out) == 0)
					room.select();
				key.cancel();
			}
		}
		buffer.clear();
		return true;
	}

	private void run(boolean selecting) throws IOException {
		System.out.println("ready");
		if (!selecting) {
			for (;;)
				echoOne();
		}
		channel.configureBlocking(false);
		Selector selector = Selector.open();
		channel.register(selector, SelectionKey.OP_READ);
		for (;;) {
			selector.select();
			selector.selectedKeys().clear();
			while (echoOne())
				continue;
		}
	}

	private void closeAfter(String fifo) {
		try (FileInputStream in = new FileInputStream(fifo)) {
			in.read();
			channel.close();
		} catch (IOException e) {
			System.out.println("unexpected " + e);
		}
	}

	public static void main(String[] arguments) throws Exception {
		if (arguments.length < 2 || arguments.length > 3) {
			System.err.println("usage: MultiEcho PORT blocking|selector [FIFO]");
			System.exit(2);
		}
		MultiEcho server = new MultiEcho(Integer.parseInt(arguments[0]));
		Thread closing = null;
		if (arguments.length == 3) {
			closing = new Thread(() -> server.closeAfter(arguments[2]));
			closing.start();
		}
		try {
			server.run(arguments[1].equals("selector"));
		} catch (AsynchronousCloseException | CancelledKeyException e) {
			System.out.println("closed");
			closing.join();
		}
	}
}
