import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.DefaultQueryMatcher;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.bson.Document;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * Serves on a port of loopback (0: any) until standard input ends; the first line it prints is the
 * port. A second argument names the file that keeps the data; else they are in memory.
 *
 * <p>mongo-java-server as it comes cannot carry a single conversation of ours. What this adds to it
 * is MongoDB's documented behaviour and no more: a wire version that pymongo speaks, commands that
 * are atomic and, where data are kept, on the disk before they are answered, logical sessions, and
 * indexes over a part of a collection.
 */
public class Main {
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        MongoBackend backend = arguments.length > 1 ? new Kept(arguments[1]) : new InMemory();
        MongoServer server = new MongoServer(orderly(backend.version(new Version())));
        server.bind(new InetSocketAddress("127.0.0.1", port));
        System.out.println(server.getLocalAddress().getPort());
        System.in.transferTo(OutputStream.nullOutputStream());
        server.shutdownNow();
    }

    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }

        @Override
        public String toVersionString() {
            return "4.4.0-mongo-java-server";
        }
    }

    /** The backend with one command at a time, and a greeting that offers sessions. */
    private static MongoBackend orderly(MongoBackend backend) {
        return (MongoBackend) Proxy.newProxyInstance(
            Main.class.getClassLoader(),
            new Class<?>[] {MongoBackend.class},
            (proxy, method, arguments) -> {
                synchronized (backend) {
                    try {
                        Object reply = answer(method.invoke(backend, arguments));
                        if (backend instanceof Kept kept && method.getName().startsWith("handle")) {
                            kept.commit();
                        }
                        return reply;
                    } catch (InvocationTargetException error) {
                        throw error.getCause();
                    }
                }
            });
    }

    /** A copy: what is encoded later must not show what others have changed meanwhile. */
    private static Object answer(Object reply) {
        if (reply instanceof QueryResult result) {
            result.forEach(Main::offerSessions);
        } else if (reply instanceof Document document) {
            Document copy = document.cloneDeeply();
            offerSessions(copy);
            return copy;
        }
        return reply;
    }

    private static void offerSessions(Document reply) {
        if (reply.containsKey("ismaster")) {
            reply.put("logicalSessionTimeoutMinutes", 30);
        }
    }

    private static final class InMemory extends MemoryBackend {
        @Override
        public MemoryDatabase openOrCreateDatabase(String name) {
            return new MemoryDatabase(name, getCursorRegistry()) {
                private Document described;

                @Override
                protected void addIndex(Document description) {
                    Document outer = described; // a new collection's first index is that of _id
                    described = description;
                    super.addIndex(description);
                    described = outer;
                }

                @Override
                protected Index<Integer> openOrCreateUniqueIndex(
                        String collection, String name, List<IndexKey> keys, boolean sparse) {
                    return partial(
                        super.openOrCreateUniqueIndex(collection, name, keys, sparse), described);
                }
            };
        }
    }

    private static final class Kept extends H2Backend {
        Kept(String file) {
            super(file);
        }

        @Override
        protected MongoDatabase openOrCreateDatabase(String name) {
            return new H2Database(name, getMvStore(), getCursorRegistry()) {
                private Document described;

                @Override
                protected void addIndex(Document description) {
                    Document outer = described; // a new collection's first index is that of _id
                    described = description;
                    super.addIndex(description);
                    described = outer;
                }

                @Override
                protected Index<Object> openOrCreateUniqueIndex(
                        String collection, String name, List<IndexKey> keys, boolean sparse) {
                    return partial(
                        super.openOrCreateUniqueIndex(collection, name, keys, sparse),
                        described != null ? described : find(collection, name));
                }

                /** The description that an earlier process left. */
                private Document find(String collection, String name) {
                    return indexes.get().queryAllAsStream()
                        .filter(each -> name.equals(each.get("name")))
                        .filter(each -> (getDatabaseName() + "." + collection).equals(each.get("ns")))
                        .findFirst()
                        .orElse(null);
                }
            };
        }
    }

    private static <P> Index<P> partial(Index<P> index, Document description) {
        Object filter =
            description == null ? null : description.get("partialFilterExpression");
        boolean isOurs = filter != null && index.getName().equals(description.get("name"));
        return isOurs ? new Partial<>(index, (Document) filter) : index;
    }

    /** An index that knows only the documents that a filter fits, and answers no query. */
    private static final class Partial<P> extends Index<P> {
        private final Index<P> index;
        private final Document filter;

        Partial(Index<P> index, Document filter) {
            super(index.getName(), index.getKeys(), true);
            this.index = index;
            this.filter = filter;
        }

        private boolean holds(Document document) {
            return new DefaultQueryMatcher().matches(document, filter);
        }

        @Override
        public P getPosition(Document document) {
            return holds(document) ? index.getPosition(document) : null;
        }

        @Override
        public void checkAdd(Document document, MongoCollection<P> collection) {
            if (holds(document)) {
                index.checkAdd(document, collection);
            }
        }

        @Override
        public void add(Document document, P position, MongoCollection<P> collection) {
            if (holds(document)) {
                index.add(document, position, collection);
            }
        }

        @Override
        public P remove(Document document) {
            return holds(document) ? index.remove(document) : null;
        }

        @Override
        public void checkUpdate(Document before, Document after, MongoCollection<P> collection) {
            if (holds(before) && holds(after)) {
                index.checkUpdate(before, after, collection);
            } else {
                checkAdd(after, collection);
            }
        }

        @Override
        public void updateInPlace(
                Document before, Document after, P position, MongoCollection<P> collection) {
            if (holds(before) && holds(after)) {
                index.updateInPlace(before, after, position, collection);
            } else {
                remove(before);
                add(after, position, collection);
            }
        }

        @Override
        public boolean canHandle(Document query) {
            return false;
        }

        @Override
        public Iterable<P> getPositions(Document query) {
            throw new UnsupportedOperationException();
        }

        @Override
        public long getCount() {
            return index.getCount();
        }

        @Override
        public long getDataSize() {
            return index.getDataSize();
        }

        @Override
        public boolean isUnique() {
            return index.isUnique();
        }

        @Override
        public void drop() {
            index.drop();
        }
    }
}
